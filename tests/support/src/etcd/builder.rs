//! What a server is started with: its version, its flags, its certificates, its disk, its host.
//!
//! Never looks at a server once it runs.

use std::net::Ipv4Addr;

use super::{EtcdServer, Member};
use crate::binaries::EtcdVersion;
use crate::certificates::{Certificates, Pair};
use crate::netns::Host;

/// How often a start is tried when somebody else took the ports.
const TRIES: u32 = 5;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct EtcdBuilder {
    pub(super) version: EtcdVersion,
    pub(super) arguments: Vec<String>,
    pub(super) tls: Option<(Certificates, Pair)>,
    pub(super) wants_client_certificate: bool,
    pub(super) on_disk: bool,
    pub(super) disk: Option<String>,
    pub(super) host: Option<Host>,
    pub(super) member: Option<Member>,
}

impl EtcdBuilder {
    pub(super) fn new(version: EtcdVersion) -> EtcdBuilder {
        EtcdBuilder {
            version,
            arguments: Vec::new(),
            tls: None,
            wants_client_certificate: false,
            on_disk: false,
            disk: None,
            host: None,
            member: None,
        }
    }

    /// Adds a flag, such as `--quota-backend-bytes=4194304`.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.arguments.push(flag.into());
        self
    }

    /// Serves TLS with the server's certificate.
    #[must_use]
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some((certificates.clone(), certificates.server.clone()));
        self
    }

    /// Serves TLS with a certificate that is out of date.
    #[must_use]
    pub fn expired_tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some((certificates.clone(), certificates.expired_server.clone()));
        self
    }

    /// Serves TLS only to clients that show a certificate of the authority.
    #[must_use]
    pub fn mutual_tls(mut self, certificates: &Certificates) -> Self {
        self.wants_client_certificate = true;
        self.tls(certificates)
    }

    /// Signs its tokens (JWT) with a key of the server's certificate: such a token is invalid after any change of users or
    /// roles. Needs [`EtcdBuilder::tls`] for the key.
    #[must_use]
    pub fn jwt(mut self, ttl: &str) -> Self {
        self.arguments.push(format!("--auth-token=jwt,pub-key=@DIR/server.crt,priv-key=@DIR/server.key,sign-method=ES256,ttl={ttl}"));
        self
    }

    /// Keeps its data on the disk instead of in memory.
    #[must_use]
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// Keeps its data on a disk of this size, such as `64m`. Only in a network of one's own.
    #[must_use]
    pub fn small_disk(mut self, size: impl Into<String>) -> Self {
        self.disk = Some(size.into());
        self
    }

    /// Runs it on a host of its own.
    #[must_use]
    pub fn on(mut self, host: &Host) -> Self {
        self.host = Some(host.clone());
        self
    }

    pub(crate) fn member(mut self, member: Member) -> Self {
        self.member = Some(member);
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(self) -> EtcdServer {
        for _ in 1..TRIES {
            let mut server = self.clone().start_unready();
            if server.answers().await {
                return server;
            }
        }
        let mut server = self.start_unready();
        server.wait_ready().await;
        server
    }

    /// Starts it without waiting for an answer, as a member of a cluster must be.
    pub(crate) fn start_unready(self) -> EtcdServer {
        let mut server = EtcdServer::new(self);
        server.spawn();
        server
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        let host = self.host.as_ref();
        host.map_or(Ipv4Addr::LOCALHOST, Host::address)
    }
}
