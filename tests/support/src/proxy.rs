//! A TCP proxy that breaks connections on purpose.
//!
//! It knows nothing of what it forwards, so it serves any server.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the proxy does to every connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forward,
    /// Ends what is open, and refuses what is new.
    Cut,
    /// Keeps connections open and forwards nothing.
    Freeze,
    /// Forwards requests, and holds every reply.
    FreezeReplies,
}

/// Forwards a port of its own to a server. Gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    mode: Arc<watch::Sender<Mode>>,
    running: JoinHandle<()>,
}

impl Proxy {
    /// Forwards to a port of 127.0.0.1.
    pub async fn start(target: u16) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let mode = Arc::new(watch::Sender::new(Mode::Forward));
        let running = tokio::spawn(serve(listener, target, Arc::clone(&mode)));
        Proxy {
            port,
            mode,
            running,
        }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Resets every connection, and refuses new ones.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Swallows everything in both directions: connections stay open and are silent, as behind a pulled cable.
    pub fn freeze(&self) {
        self.mode.send_replace(Mode::Freeze);
    }

    /// Lets requests through and holds the replies: what is written is committed, and nobody hears of it.
    pub fn freeze_replies(&self) {
        self.mode.send_replace(Mode::FreezeReplies);
    }

    /// Forwards again, also what was held.
    pub fn heal(&self) {
        self.mode.send_replace(Mode::Forward);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(listener: TcpListener, target: u16, mode: Arc<watch::Sender<Mode>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        if *mode.borrow() != Mode::Cut {
            connections.spawn(connect(client, target, mode.subscribe()));
        }
    }
}

/// One connection, until either side or the mode ends it.
async fn connect(client: TcpStream, target: u16, mode: watch::Receiver<Mode>) {
    let mut cut = mode.clone();
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let requests = pump(from_client, to_server, mode.clone(), |mode| {
        mode != Mode::Freeze
    });
    let replies = pump(from_server, to_client, mode, |mode| mode == Mode::Forward);
    tokio::select! {
        () = requests => {}
        () = replies => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

/// Forwards one direction, whenever the mode lets it.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    flows: fn(Mode) -> bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length) = from.read(&mut buffer).await else {
            return;
        };
        if mode.wait_for(|mode| flows(*mode)).await.is_err() {
            return;
        }
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
