//! Claims beside the map's clients: on each node some open sessions, take and leave locks, shares, permits and terms, write
//! under them, and keep entries that stand as long as their sessions, all told by one seed.
//!
//! It injects no fault and judges nothing. What third parties do is done by [`Claimants::meddle`], and said to be.

mod asking;
mod claimant;
mod held;
mod holding;
mod leading;
mod lookout;
mod meddling;
mod opening;
mod presence;
mod resource;
mod wanted;

use std::sync::Arc;

use fastrand::Rng;
use globe::log_client::LogClient;
use globe::{Claims, Globe, Result, View};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use self::claimant::Claimant;
use self::lookout::Lookout;
use self::presence::Presence;
use self::resource::Resources;
use super::Map;
use super::client::Board;
use super::recording::{shown, shown_claims};
use crate::history::{ClaimLimits, ClaimRun, Event, Read, Shown};
use crate::recorder::Recorder;

/// Where claims stand.
pub(crate) const CLAIMS: &str = "claims";
/// Where entries stand that stand as long as their sessions.
pub(crate) const PRESENT: &str = "present";
/// What is written under claims.
const GUARDED: &str = "guarded";

/// The keyspaces in which claims are played: the truth has to listen to all of them.
pub const CLAIM_KEYSPACES: [&str; 3] = [CLAIMS, PRESENT, GUARDED];

/// How claims are played. Change what differs.
#[derive(Clone, Debug)]
pub struct Claiming {
    /// Everything is decided by it.
    pub seed: u64,
    /// Claimants on every node, each with a session of its own; without any nothing is played.
    pub claimants: usize,
    /// How long the lease of every session lives.
    pub ttl: Duration,
    /// Names of each recipe: the fewer, the more of them meet.
    pub names: usize,
    /// Permits of each semaphore.
    pub permits: u32,
    /// What each claimant does; it stops earlier when the run is finished earlier.
    pub ops: usize,
    /// The longest rest of a claimant between two of them.
    pub rest: Duration,
    /// The longest wait of those that wait for a while only.
    pub wait: Duration,
    /// The longest time for which something is held.
    pub hold: Duration,
    /// The longest rest between two looks at everything that is held.
    pub look_rest: Duration,
    /// How long opening a map or a session may take.
    pub open_timeout: Duration,
    /// The bounds the claims are judged by.
    pub limits: ClaimLimits,
}

impl Claiming {
    /// A small run for a paused clock: some seconds of its time.
    #[must_use]
    pub fn light(seed: u64) -> Claiming {
        Claiming {
            seed,
            claimants: 1,
            ttl: Duration::from_secs(2),
            names: 1,
            permits: 3,
            ops: 12,
            rest: Duration::from_millis(300),
            wait: Duration::from_secs(3),
            hold: Duration::from_secs(1),
            look_rest: Duration::from_millis(40),
            open_timeout: Duration::from_secs(120),
            limits: ClaimLimits::default(),
        }
    }

    /// A long run against a real log: claimants go on until the run is finished.
    #[must_use]
    pub fn heavy(seed: u64) -> Claiming {
        Claiming {
            claimants: 2,
            ttl: Duration::from_secs(3),
            ops: usize::MAX,
            ..Claiming::light(seed)
        }
    }

    /// Opens maps and sessions on the log of each node, and starts. Each node's log has to be the one that its other maps
    /// are on. Whoever finishes a [`Running`](crate::Running) as well finishes these first.
    ///
    /// # Errors
    /// As opening maps and sessions.
    pub async fn start<L: LogClient + Clone>(
        &self,
        logs: &[L],
        recorder: &Recorder,
    ) -> Result<Claimants> {
        let mut claimants = Claimants::none(self, recorder);
        if self.claimants == 0 {
            return Ok(claimants);
        }
        recorder.record(Event::ClaimRun(ClaimRun {
            ttl_micros: micros(self.ttl),
            limits: self.limits.clone(),
        }));
        let mut rng = Rng::with_seed(self.seed);
        let resources = Resources::default();
        let board = Arc::new(Board::default());
        for (node, log) in logs.iter().enumerate() {
            let node = u32::try_from(node).unwrap_or(u32::MAX);
            let shop = Shop::open(node, log, self.open_timeout).await?;
            for _ in 0..self.claimants {
                let claimant = Claimant {
                    number: recorder.number(),
                    shop: shop.clone(),
                    claiming: self.clone(),
                    lookout: claimants.lookout.clone(),
                    recorder: recorder.clone(),
                    resources: resources.clone(),
                    board: Arc::clone(&board),
                    rng: rng.fork(),
                    stop: claimants.stop.clone(),
                };
                let presence = claimant.open().await?;
                claimants.playing.send_modify(|playing| *playing += 1);
                let (playing, calm) = (claimants.playing.clone(), claimants.calm.clone());
                claimants
                    .clients
                    .spawn(claimant.run(presence, playing, calm));
            }
            claimants.shops.push(shop);
        }
        let lookout = claimants.lookout.clone();
        let looking = lookout.run(self.look_rest, rng.fork(), claimants.over.clone());
        claimants.looking.spawn(looking);
        Ok(claimants)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The maps of one node in which claims are played.
#[derive(Clone)]
pub(crate) struct Shop {
    node: u32,
    log: Arc<dyn LogClient>,
    claims: Claims,
    present: Map,
    guarded: Map,
}

impl Shop {
    async fn open<L: LogClient + Clone>(node: u32, log: &L, bound: Duration) -> Result<Shop> {
        let log: Arc<dyn LogClient> = Arc::new(log.clone());
        let claims = Globe::builder(Arc::clone(&log), CLAIMS).open_timeout(bound);
        let present = Globe::builder(Arc::clone(&log), PRESENT).open_timeout(bound);
        let guarded = Globe::builder(Arc::clone(&log), GUARDED).open_timeout(bound);
        Ok(Shop {
            node,
            claims: claims.open().await?,
            present: present.open().await?,
            guarded: guarded.open().await?,
            log,
        })
    }
}

/// Claims that are played. Dropping it stops them.
pub struct Claimants {
    claiming: Claiming,
    recorder: Recorder,
    lookout: Lookout,
    shops: Vec<Shop>,
    clients: JoinSet<Presence>,
    looking: JoinSet<()>,
    /// How many have not yet done all they do.
    playing: watch::Sender<usize>,
    /// Claimants begin nothing new.
    stop: CancellationToken,
    /// All is mended: each takes everything once more.
    calm: CancellationToken,
    /// Nobody looks any more.
    over: CancellationToken,
}

impl std::fmt::Debug for Claimants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimants").finish_non_exhaustive()
    }
}

impl Claimants {
    fn none(claiming: &Claiming, recorder: &Recorder) -> Claimants {
        Claimants {
            claiming: claiming.clone(),
            recorder: recorder.clone(),
            lookout: Lookout::new(recorder),
            shops: Vec::new(),
            clients: JoinSet::new(),
            looking: JoinSet::new(),
            playing: watch::Sender::new(0),
            stop: CancellationToken::new(),
            calm: CancellationToken::new(),
            over: CancellationToken::new(),
        }
    }

    /// Looks at everything that is held, at once: to be called where something has just been broken.
    pub fn look(&self) {
        self.lookout.look();
    }

    /// Waits until every claimant has done all it does.
    pub async fn done(&self) {
        let mut playing = self.playing.subscribe();
        let _ = playing.wait_for(|playing| *playing == 0).await;
    }

    /// Ends the run, after all is mended: each claimant lets go of what it holds, takes everything once more and lets it go;
    /// then it is waited until nothing stands of that; then sessions are closed, with their entries. Each of it for `bound` at
    /// most, or what the limits allow; the checks find what was not reached by then.
    pub async fn finish(mut self, bound: Duration) {
        if self.shops.is_empty() {
            return;
        }
        self.stop.cancel();
        self.calm.cancel();
        // What is too late has to be seen to be.
        let limits = &self.claiming.limits;
        let bound = bound.max(Duration::from_micros(limits.settle_micros)) + LONGER;
        let outlive = Duration::from_micros(limits.outlive_micros);
        let mut sessions = Vec::new();
        let deadline = Instant::now() + bound;
        while let Ok(Some(joined)) = timeout_at(deadline, self.clients.join_next()).await {
            sessions.extend(joined);
        }
        self.clients.shutdown().await;
        let is_claim = |key: &String| key.matches('/').count() > 1;
        let has_claims = |shop: &Shop| shop.claims.view().keys().any(is_claim);
        self.until_none(Instant::now() + bound, has_claims).await;
        for session in sessions {
            session.close().await;
        }
        let deadline = Instant::now() + self.claiming.ttl + outlive + LONGER;
        self.until_none(deadline, |shop| !shop.present.is_empty())
            .await;
        self.over.cancel();
        while self.looking.join_next().await.is_some() {}
        self.settle(Instant::now() + bound).await;
    }

    /// Waits until none of the nodes has something, or it is time.
    async fn until_none(&self, deadline: Instant, has: impl Fn(&Shop) -> bool) {
        while self.shops.iter().any(&has) && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Synchronises all maps, and records what they then show.
    async fn settle(&self, deadline: Instant) {
        for shop in &self.shops {
            let node = shop.node;
            let claims = settled(&shop.claims, deadline).await;
            self.record(node, CLAIMS, claims, shown_claims);
            for map in [&shop.present, &shop.guarded] {
                let view = settled(map, deadline).await;
                self.record(node, map.keyspace().as_str(), view, shown);
            }
        }
    }

    fn record<V>(
        &self,
        node: u32,
        keyspace: &str,
        view: View<String, V>,
        shown: impl Fn(&View<String, V>) -> Vec<Shown>,
    ) {
        let call = self.recorder.now();
        let read = Read::Final(view.position(), shown(&view));
        let seen = (call, self.recorder.now());
        let who = (self.recorder.number(), node);
        self.recorder.sample(who, keyspace, seen, read);
    }
}

/// What a map shows once it is synchronised, or when it is time.
async fn settled<V: Send + Sync + 'static>(
    map: &Globe<String, V>,
    deadline: Instant,
) -> View<String, V> {
    while Instant::now() < deadline {
        if let Ok(Ok(_)) = timeout_at(deadline, map.sync()).await {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    map.view()
}

/// So much longer than a bound is looked.
const LONGER: Duration = Duration::from_secs(1);

impl Drop for Claimants {
    fn drop(&mut self) {
        self.stop.cancel();
        self.over.cancel();
    }
}
