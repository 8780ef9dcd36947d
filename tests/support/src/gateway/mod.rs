//! A gateway as companies put before their servers: it speaks HTTP/2 itself, resets what was delivered, repeats requests,
//! swallows messages, ends quiet streams, and answers in the server's place.
//!
//! Never breaks a connection of its client's: only streams. For connections there is [`Proxy`](crate::Proxy).

mod pipe;
mod progress;
mod relay;
mod rule;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use self::relay::Relay;
pub use self::rule::{Act, Rule, Said};
use crate::door::Door;

/// How much of a stream, and of a connection, may be on its way: enough for any test.
const WINDOW: u32 = 1 << 24;

/// What a gateway was told, and what it did.
#[derive(Debug, Default)]
pub(crate) struct State {
    rules: Vec<Rule>,
    drops_progress: bool,
    idle_limit: Option<Duration>,
    delivered: BTreeMap<String, u64>,
    broken: BTreeMap<String, u64>,
    dropped: u64,
    cut: u64,
}

/// Forwards HTTP/2 without TLS from a port of its own to a server. Gone when dropped.
#[derive(Debug)]
pub struct Gateway {
    door: Door,
    state: Arc<Mutex<State>>,
}

impl Gateway {
    /// Forwards to a server.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn start(target: SocketAddr) -> Gateway {
        let state: Arc<Mutex<State>> = Arc::default();
        let told = Arc::clone(&state);
        let door = Door::open(move |client| connection(client, target, Arc::clone(&told)));
        Gateway {
            door: door.await,
            state,
        }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.door.port()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.door.address()
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

    /// From now on this is done as well. Of several rules for a request, the first counts.
    pub fn add(&self, rule: Rule) {
        lock(&self.state).rules.push(rule);
    }

    /// From now on requests for progress on watches are swallowed, or not.
    pub fn drop_progress(&self, is_dropped: bool) {
        lock(&self.state).drops_progress = is_dropped;
    }

    /// From now on streams of several messages are reset when nothing came on them for so long.
    pub fn limit_idle(&self, limit: Option<Duration>) {
        lock(&self.state).idle_limit = limit;
    }

    /// Everything is forwarded again.
    pub fn heal(&self) {
        let mut state = lock(&self.state);
        state.rules.clear();
        state.drops_progress = false;
        state.idle_limit = None;
    }

    /// How many requests whose path begins so the server was given; a repeated one counts twice.
    #[must_use]
    pub fn delivered(&self, path: &str) -> u64 {
        count(&lock(&self.state).delivered, path)
    }

    /// How many requests one of the rules was applied to.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken_at("")
    }

    /// The same, of those whose path begins so.
    #[must_use]
    pub fn broken_at(&self, path: &str) -> u64 {
        count(&lock(&self.state).broken, path)
    }

    /// How many requests for progress were swallowed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        lock(&self.state).dropped
    }

    /// How many streams were reset because they were quiet.
    #[must_use]
    pub fn cut(&self) -> u64 {
        lock(&self.state).cut
    }
}

/// How many there were at paths that begin so.
fn count(counts: &BTreeMap<String, u64>, path: &str) -> u64 {
    let those = counts.iter().filter(|(p, _)| p.starts_with(path));
    those.map(|(_, count)| count).sum()
}

pub(crate) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// What is to be done to a request.
    fn act(&mut self, path: &str, body: Option<&[u8]>) -> Option<Act> {
        let mut rules = self.rules.iter_mut();
        let act = rules.find_map(|rule| rule.take(path, body))?;
        *self.broken.entry(path.to_owned()).or_default() += 1;
        Some(act)
    }
}

/// Lives as long as the client's connection does. Each has one of its own to the server, made anew when it has ended.
async fn connection(client: TcpStream, target: SocketAddr, state: Arc<Mutex<State>>) {
    let _ = client.set_nodelay(true);
    let mut server = h2::server::Builder::new();
    server
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let Ok(mut client) = server.handshake(client).await else {
        return;
    };
    let upstream = Arc::new(Upstream {
        target,
        open: tokio::sync::Mutex::default(),
    });
    let mut streams = JoinSet::new();
    while let Some(Ok((request, respond))) = client.accept().await {
        while streams.try_join_next().is_some() {}
        let relay = Relay {
            upstream: Arc::clone(&upstream),
            state: Arc::clone(&state),
        };
        streams.spawn(relay.run(request, respond));
    }
}

/// The connection to the server.
#[derive(Debug)]
pub(crate) struct Upstream {
    target: SocketAddr,
    open: tokio::sync::Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    requests: SendRequest<Bytes>,
    running: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Upstream {
    /// Something to send a request by; `None` when the server cannot be reached.
    pub(crate) async fn requests(&self) -> Option<SendRequest<Bytes>> {
        let mut open = self.open.lock().await;
        if open.as_ref().is_none_or(|open| open.running.is_finished()) {
            *open = Some(self.dial().await?);
        }
        let requests = open.as_ref()?.requests.clone();
        drop(open);
        requests.ready().await.ok()
    }

    async fn dial(&self) -> Option<Open> {
        let stream = TcpStream::connect(self.target).await.ok()?;
        let _ = stream.set_nodelay(true);
        let mut client = h2::client::Builder::new();
        client
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        let (requests, connection) = client.handshake(stream).await.ok()?;
        let running = tokio::spawn(async move {
            let _ = connection.await;
        });
        Some(Open { requests, running })
    }
}
