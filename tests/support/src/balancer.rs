//! A TCP load balancer that knows nothing of what it forwards, so TLS passes through it; some of its backends may be dead.
//!
//! Never looks whether a backend lives: each has its turn.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::door::Door;

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
    door: Door,
    backends: Arc<Mutex<Turns>>,
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
        let turns = Turns {
            given: vec![0; backends.len()],
            backends,
            next: 0,
        };
        let backends = Arc::new(Mutex::new(turns));
        let turns = Arc::clone(&backends);
        let door = Door::open(move |client| {
            let turns = turns.lock();
            serve(client, turns.unwrap_or_else(PoisonError::into_inner).take())
        });
        Balancer {
            door: door.await,
            backends,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// How many connections each of the backends was given.
    #[must_use]
    pub fn given(&self) -> Vec<u64> {
        let turns = self.backends.lock();
        turns.unwrap_or_else(PoisonError::into_inner).given.clone()
    }
}

async fn serve(client: TcpStream, backend: Backend) {
    match backend {
        Backend::Live(server) => forward(client, server).await,
        Backend::Closes => {}
        Backend::Resets => {
            let _ = client.set_zero_linger();
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
