//! A TCP proxy that breaks connections on purpose, all alike or each by its number, switchable while they live.
//!
//! It knows nothing of what it forwards, so it serves any server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::course::{Course, End};
use crate::door::Door;
use crate::weather::{Flow, Sky, Weather};

/// After what was held has arrived, the server does not hear for so long that its sender has gone: else it would drop the
/// request with the connection, and nothing would ever come late.
const LATER_STILL: Duration = Duration::from_secs(1);

/// What went through so far.
#[derive(Debug, Default)]
struct Traffic {
    connections: AtomicU64,
    requested: AtomicU64,
    replied: AtomicU64,
}

/// Forwards a port of its own to a server. Gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    door: Door,
    sky: Arc<watch::Sender<Sky>>,
    traffic: Arc<Traffic>,
}

impl Proxy {
    /// Forwards to a port of 127.0.0.1.
    pub async fn start(target: u16) -> Proxy {
        Proxy::to((Ipv4Addr::LOCALHOST, target).into(), 0).await
    }

    /// Forwards to a server anywhere; `seed` decides its jitter.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn to(target: SocketAddr, seed: u64) -> Proxy {
        let sky = Arc::new(watch::Sender::new(Sky::default()));
        let traffic = Arc::new(Traffic::default());
        let (above, counted) = (Arc::clone(&sky), Arc::clone(&traffic));
        let door = Door::open(move |client| {
            let number = counted.connections.fetch_add(1, Ordering::SeqCst);
            let connection = Connection {
                number,
                seed: seed ^ number,
                sky: above.subscribe(),
                traffic: Arc::clone(&counted),
            };
            connection.run(client, target)
        });
        Proxy {
            door: door.await,
            sky,
            traffic,
        }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.door.port()
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.door.address())
    }

    /// How many connections clients have made so far, those that were cut at once included. They are numbered from zero.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.traffic.connections.load(Ordering::SeqCst)
    }

    /// How many bytes of requests the server was given.
    #[must_use]
    pub fn requested(&self) -> u64 {
        self.traffic.requested.load(Ordering::SeqCst)
    }

    /// How many bytes of replies the clients were given.
    #[must_use]
    pub fn replied(&self) -> u64 {
        self.traffic.replied.load(Ordering::SeqCst)
    }

    /// From now on this happens to every connection, except those that were given their own.
    pub fn set(&self, weather: Weather) {
        self.sky.send_modify(|sky| sky.set(weather));
    }

    /// From now on this happens to the connection of this number.
    pub fn set_one(&self, connection: u64, weather: Weather) {
        self.sky.send_modify(|sky| {
            sky.set_one(connection, weather);
        });
    }

    /// Resets every connection, and every new one.
    pub fn cut(&self) {
        self.set(Weather::cut());
    }

    /// Swallows everything in both directions: connections stay open and are silent, as behind a pulled cable.
    pub fn freeze(&self) {
        self.set(Weather::both(Flow::held()));
    }

    /// Lets requests through and holds the replies: what is written is committed, and nobody hears of it.
    pub fn freeze_replies(&self) {
        self.set(Weather {
            replies: Flow::held(),
            ..Weather::default()
        });
    }

    /// Holds the requests and lets replies through.
    pub fn freeze_requests(&self) {
        self.set(Weather {
            requests: Flow::held(),
            ..Weather::default()
        });
    }

    /// Forwards everything again, also what was held, even if its sender has long given up.
    pub fn heal(&self) {
        self.sky.send_replace(Sky::default());
    }
}

struct Connection {
    number: u64,
    seed: u64,
    sky: watch::Receiver<Sky>,
    traffic: Arc<Traffic>,
}

impl Connection {
    /// Lives until either side or the weather ends it.
    async fn run(self, mut client: TcpStream, target: SocketAddr) {
        if self.sky.borrow().of(self.number).is_cut {
            let _ = client.set_zero_linger();
            return;
        }
        let Ok(mut server) = TcpStream::connect(target).await else {
            let _ = client.set_zero_linger();
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        if self.forward(&mut client, &mut server).await == End::Reset {
            let _ = (client.set_zero_linger(), server.set_zero_linger());
        }
    }

    async fn forward(self, client: &mut TcpStream, server: &mut TcpStream) -> End {
        let Connection {
            number,
            seed,
            sky,
            traffic,
        } = self;
        let mut cut = sky.clone();
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let course = |seed, flow| Course::new(number, seed, sky.clone(), flow);
        let count = |all: &AtomicU64, bytes| {
            all.fetch_add(bytes, Ordering::SeqCst);
        };
        let requested = |bytes| count(&traffic.requested, bytes);
        let replied = |bytes| count(&traffic.replied, bytes);
        let requests = course(seed, |weather| weather.requests);
        let requests = requests.run(from_client, to_server, requested);
        let replies = course(!seed, |weather| weather.replies);
        let replies = replies.run(from_server, to_client, replied);
        let requests = async {
            match requests.await {
                End::Late => {
                    sleep(LATER_STILL).await;
                    End::Late
                }
                end => end,
            }
        };
        tokio::select! {
            end = requests => end,
            end = replies => end,
            _ = cut.wait_for(|sky| sky.of(number).is_cut) => End::Reset,
        }
    }
}
