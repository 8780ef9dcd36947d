//! etcd's own proxy (`etcd grpc-proxy`), before real members.
//!
//! It gathers watches of several clients into one, and never answers a request for progress.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use tempfile::TempDir;

use crate::binaries::EtcdVersion;
use crate::port::{free_port, until_it_listens};
use crate::process::{Process, command};

/// A running proxy. Killed when dropped.
#[derive(Debug)]
pub struct GrpcProxy {
    port: u16,
    _process: Process,
    _dir: TempDir,
}

impl GrpcProxy {
    /// Starts one of a version before these members, and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(version: EtcdVersion, members: &[SocketAddr]) -> GrpcProxy {
        let dir = TempDir::with_prefix("globe-grpc-proxy-").expect("a folder");
        let port = free_port();
        let members: Vec<_> = members.iter().map(ToString::to_string).collect();
        let mut command = command(Vec::new(), version.program("etcd"));
        command.args(["grpc-proxy", "start"]);
        command.arg(format!("--endpoints={}", members.join(",")));
        command.arg(format!("--listen-addr=127.0.0.1:{port}"));
        // It asks itself for its health there, and ends after some seconds when nobody answers.
        command.arg(format!("--advertise-client-url=127.0.0.1:{port}"));
        command.arg(format!("--data-dir={}", dir.path().display()));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let proxy = GrpcProxy {
            port,
            _process: Process::start(&mut command),
            _dir: dir,
        };
        until_it_listens("etcd's proxy", proxy.address()).await;
        proxy
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// `etcd://127.0.0.1:PORT`: what a map is connected by.
    #[must_use]
    pub fn url(&self) -> String {
        format!("etcd://{}", self.address())
    }
}
