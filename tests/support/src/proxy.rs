//! A TCP proxy that breaks connections on purpose.
//!
//! It knows nothing of what it forwards, so it serves any server.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// What went through so far.
#[derive(Debug, Default)]
struct Traffic {
    connections: AtomicU64,
    requested: AtomicU64,
}

/// Forwards a port of its own to a server. Gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    mode: Arc<watch::Sender<Mode>>,
    traffic: Arc<Traffic>,
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
        let traffic = Arc::new(Traffic::default());
        let running = serve(listener, target, Arc::clone(&mode), Arc::clone(&traffic));
        Proxy {
            port,
            mode,
            traffic,
            running: tokio::spawn(running),
        }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections it has taken.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.traffic.connections.load(Ordering::Relaxed)
    }

    /// How many bytes of requests the server was given.
    #[must_use]
    pub fn requested(&self) -> u64 {
        self.traffic.requested.load(Ordering::Relaxed)
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

    /// Forwards again, also what was held, even if its sender has long given up.
    pub fn heal(&self) {
        self.mode.send_replace(Mode::Forward);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(
    listener: TcpListener,
    target: u16,
    mode: Arc<watch::Sender<Mode>>,
    traffic: Arc<Traffic>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        if *mode.borrow() != Mode::Cut {
            traffic.connections.fetch_add(1, Ordering::Relaxed);
            let traffic = Arc::clone(&traffic);
            connections.spawn(connect(client, target, mode.subscribe(), traffic));
        }
    }
}

/// One connection, until either side or the mode ends it.
async fn connect(
    client: TcpStream,
    target: u16,
    mode: watch::Receiver<Mode>,
    traffic: Arc<Traffic>,
) {
    let mut cut = mode.clone();
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let requests = async {
        let flows = |mode| mode != Mode::Freeze;
        let held = pump(from_client, to_server, mode.clone(), flows, |length| {
            traffic.requested.fetch_add(length, Ordering::Relaxed);
        });
        if let Some(_open) = held.await {
            // What was held arrives late, and the news that its sender has gone later still.
            std::future::pending().await
        }
    };
    let flows = |mode| mode == Mode::Forward;
    let replies = pump(from_server, to_client, mode.clone(), flows, |_| ());
    tokio::select! {
        () = requests => {}
        _ = replies => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

/// Forwards one direction, whenever the mode lets it. Returns the way out, still open, if anything had to wait.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    flows: fn(Mode) -> bool,
    count: impl Fn(u64),
) -> Option<OwnedWriteHalf> {
    let mut buffer = vec![0; 64 * 1024];
    let mut held = false;
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        held |= !flows(*mode.borrow());
        if mode.wait_for(|mode| flows(*mode)).await.is_err() {
            return None;
        }
        if length == 0 {
            return held.then_some(to);
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return None;
        }
        count(length as u64);
    }
}
