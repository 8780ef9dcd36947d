//! A TCP load balancer that knows nothing of what it forwards, so TLS passes through it; some of its backends may be dead.
//!
//! Never looks whether a backend lives: each has its turn.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::port::listen;

/// What a balancer forwards to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A server.
    Live(SocketAddr),
    /// The connection is taken, and closed at once.
    Closes,
    /// The connection is taken, and reset at once.
    Resets,
}

/// Gives each new connection to the next of its backends. Gone when dropped.
#[derive(Debug)]
pub struct Balancer {
    port: u16,
    backends: Arc<Mutex<Turns>>,
    running: JoinHandle<()>,
}

#[derive(Debug)]
struct Turns {
    backends: Vec<Backend>,
    /// How many connections each has been given.
    given: Vec<u64>,
    next: usize,
}

impl Turns {
    fn take(&mut self) -> Backend {
        let turn = self.next % self.backends.len();
        self.next = turn + 1;
        self.given[turn] += 1;
        self.backends[turn]
    }
}

impl Balancer {
    /// Forwards to these, the first of them first.
    ///
    /// # Panics
    /// When there is no port to listen on, or no backend.
    pub async fn start(backends: Vec<Backend>) -> Balancer {
        assert!(!backends.is_empty(), "a backend");
        let (listener, port) = listen().await;
        let turns = Turns {
            given: vec![0; backends.len()],
            backends,
            next: 0,
        };
        let backends = Arc::new(Mutex::new(turns));
        let running = tokio::spawn(serve(listener, Arc::clone(&backends)));
        Balancer {
            port,
            backends,
            running,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// How many connections each of the backends was given.
    #[must_use]
    pub fn given(&self) -> Vec<u64> {
        let turns = self.backends.lock();
        turns.unwrap_or_else(PoisonError::into_inner).given.clone()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(listener: TcpListener, backends: Arc<Mutex<Turns>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let turns = backends.lock();
        let backend = turns.unwrap_or_else(PoisonError::into_inner).take();
        match backend {
            Backend::Live(server) => {
                connections.spawn(forward(client, server));
            }
            Backend::Closes => drop(client),
            Backend::Resets => {
                let _ = client.set_zero_linger();
            }
        }
    }
}

async fn forward(mut client: TcpStream, server: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
