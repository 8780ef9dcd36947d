//! Recipes beside the map's clients: on each node processes join shard tables, register members of services, and publish a
//! setting; they end in every way there is, and are cut off by themselves, all told by one seed.
//!
//! It judges nothing. What breaks nodes and logs is done by others.

mod life;
mod member;
mod registrant;
mod serving;
mod tuning;
mod way;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use globe::log_client::LogClient;
use globe::shards::{Mode, Row, Table};
use globe::{Globe, Registry, Result, Shards};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::member::Client;
use self::registrant::{Reader, Registrant};
use self::tuning::Tuner;
use super::client::Board;
use crate::history::{Event, RecipeLimits, RecipeRun};
use crate::recorder::Recorder;

pub(crate) use self::tuning::{LIMIT, is_good};

/// A table in which no shard ever has two owners.
pub(crate) const STRICT: &str = "strict-shards";
/// A table in which every shard always has one.
pub(crate) const AVAILABLE: &str = "available-shards";
/// What is written under shards.
const SHARDED: &str = "sharded";
/// Where services are registered.
pub(crate) const SERVICES: &str = "services";
/// Where the setting stands.
pub(crate) const TUNING: &str = "tuning";

/// The keyspaces in which recipes are played: the truth has to listen to all of them.
pub const RECIPE_KEYSPACES: [&str; 5] = [STRICT, AVAILABLE, SHARDED, SERVICES, TUNING];

/// How long no member must have come or gone before shards move for balance.
const SETTLE: Duration = Duration::from_secs(1);
/// So long nothing must have changed before all is called quiet.
const QUIET: Duration = Duration::from_secs(4);

/// How recipes are played. Change what differs.
#[derive(Clone, Debug)]
pub struct Recipes {
    /// Everything is decided by it.
    pub seed: u64,
    /// Members of each table on every node; without any, no table is played.
    pub members: usize,
    /// Processes that register on every node.
    pub registrants: usize,
    /// The setting is played.
    pub tunes: bool,
    /// How long the lease of every process lives.
    pub ttl: Duration,
    /// How many shards each table has.
    pub slots: u32,
    /// How many lives each process has, and how many things are done with the setting; less, when the run is finished earlier.
    pub lives: usize,
    /// The longest rest of a process between two things it does.
    pub rest: Duration,
    /// The rest between two looks.
    pub look_rest: Duration,
    /// Processes are cut off by themselves.
    pub cuts: bool,
    /// Processes are killed.
    pub kills: bool,
    /// So many times longer than they are told, leases live: as they do while a log elects a leader.
    pub lengthens: u32,
    /// The bounds it is judged by.
    pub limits: RecipeLimits,
}

impl Recipes {
    /// A small run for a paused clock: some seconds of its time.
    #[must_use]
    pub fn light(seed: u64) -> Recipes {
        Recipes {
            seed,
            members: 1,
            registrants: 1,
            tunes: true,
            ttl: Duration::from_secs(2),
            slots: 12,
            lives: 4,
            rest: Duration::from_millis(1_500),
            look_rest: Duration::from_millis(60),
            cuts: true,
            kills: true,
            lengthens: 1,
            limits: RecipeLimits::default(),
        }
    }

    /// A long run against a real log: processes go on until the run is finished.
    #[must_use]
    pub fn heavy(seed: u64) -> Recipes {
        Recipes {
            ttl: Duration::from_secs(3),
            slots: 24,
            lives: usize::MAX,
            look_rest: Duration::from_millis(100),
            ..Recipes::light(seed)
        }
    }

    /// Opens what is looked at on the log of each node, and starts. Whoever finishes a [`Running`](crate::Running) as well
    /// finishes these first.
    ///
    /// # Errors
    /// As opening maps, tables and settings.
    pub async fn start<L: LogClient + Clone>(
        &self,
        logs: &[L],
        recorder: &Recorder,
    ) -> Result<Players> {
        let lives = self.ttl * self.lengthens;
        recorder.record(Event::RecipeRun(RecipeRun {
            ttl_micros: lives.as_micros().try_into().unwrap_or(u64::MAX),
            slots: self.slots,
            is_steady: !self.cuts && !self.kills && self.lengthens > 1,
            limits: self.limits.clone(),
        }));
        let mut rng = Rng::with_seed(self.seed);
        let mut players = Players {
            tables: Vec::new(),
            readers: Vec::new(),
            tuners: Vec::new(),
            clients: JoinSet::new(),
            registered: Registered::default(),
            playing: watch::Sender::new(0),
            stop: CancellationToken::new(),
            over: CancellationToken::new(),
        };
        let board = Arc::new(Board::default());
        for (node, log) in logs.iter().enumerate() {
            let stage = Stage {
                node: u32::try_from(node).unwrap_or(u32::MAX),
                log: Arc::new(log.clone()),
                recipes: self.clone(),
                recorder: recorder.clone(),
                board: Arc::clone(&board),
                playing: players.playing.clone(),
                stop: players.stop.clone(),
                over: players.over.clone(),
            };
            players.open(&stage, &mut rng).await?;
        }
        Ok(players)
    }
}

/// What every process of a node knows.
#[derive(Clone)]
pub(crate) struct Stage {
    node: u32,
    log: Arc<dyn LogClient>,
    recipes: Recipes,
    recorder: Recorder,
    board: Arc<Board>,
    playing: watch::Sender<usize>,
    /// Nothing new is begun, and what is done is done at once.
    stop: CancellationToken,
    /// All leave.
    over: CancellationToken,
}

impl Stage {
    /// One who plays, until that is dropped.
    fn playing(&self) -> Playing {
        self.playing.send_modify(|playing| *playing += 1);
        Playing(self.playing.clone())
    }

    async fn rests(&self, rng: &mut Rng) {
        let pause = self.recipes.rest.mul_f64(rng.f64());
        let _ = timeout(pause, self.stop.cancelled()).await;
    }

    async fn rests_a_bit(&self, rng: &mut Rng) {
        sleep(self.recipes.rest.mul_f64(rng.f64() / 8.0)).await;
    }
}

struct Playing(watch::Sender<usize>);

impl Drop for Playing {
    fn drop(&mut self) {
        self.0.send_modify(|playing| *playing -= 1);
    }
}

/// The members of services that are registered now, for whoever waits until they are listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registered(Arc<Mutex<BTreeMap<String, usize>>>);

impl Registered {
    fn add(&self, service: &str, by: isize) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(service.to_owned()).or_default();
        *count = count.saturating_add_signed(by);
    }

    fn count(&self, service: &str) -> usize {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(service).copied().unwrap_or_default()
    }
}

/// Recipes that are played. Dropping it stops them.
pub struct Players {
    tables: Vec<Shards>,
    readers: Vec<Reader>,
    tuners: Vec<Tuner>,
    clients: JoinSet<()>,
    registered: Registered,
    /// How many have not yet done all they do.
    playing: watch::Sender<usize>,
    stop: CancellationToken,
    over: CancellationToken,
}

impl std::fmt::Debug for Players {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Players").finish_non_exhaustive()
    }
}

impl Players {
    /// Opens what is played on one node, and begins.
    async fn open(&mut self, stage: &Stage, rng: &mut Rng) -> Result<()> {
        let recipes = &stage.recipes;
        let log = Arc::clone(&stage.log);
        if recipes.members > 0 {
            let sharded = Globe::open(Arc::clone(&log), SHARDED).await?;
            for table in [(STRICT, Mode::Strict), (AVAILABLE, Mode::Available)] {
                let builder = Shards::builder(Arc::clone(&log), table.0);
                let builder = builder.slots(recipes.slots).mode(table.1).settle(SETTLE);
                self.tables.push(builder.open().await?);
                for _ in 0..recipes.members {
                    let client = Client::new(stage.clone(), table, sharded.clone(), rng.fork());
                    self.clients.spawn(client.run());
                }
            }
        }
        if recipes.registrants > 0 {
            for follows in [true, false] {
                let reader = Reader::open(stage, follows).await?;
                self.clients.spawn(reader.clone().run());
                self.readers.push(reader);
            }
            for _ in 0..recipes.registrants {
                let registrant =
                    Registrant::new(stage.clone(), self.registered.clone(), rng.fork());
                self.clients.spawn(registrant.run());
            }
        }
        if recipes.tunes {
            let tuner = Tuner::open(stage).await?;
            self.clients.spawn(tuner.clone().run(rng.fork()));
            self.tuners.push(tuner);
        }
        Ok(())
    }

    /// Waits until every process has lived through all its lives.
    pub async fn done(&self) {
        let mut playing = self.playing.subscribe();
        // They begin to play when they first run.
        tokio::task::yield_now().await;
        let _ = playing.wait_for(|playing| *playing == 0).await;
    }

    /// Waits until every process has lived through all its lives, and nothing has changed for a while, at most for `bound`;
    /// whether it came to that.
    pub async fn quiet(&self, bound: Duration) -> bool {
        let deadline = Instant::now() + bound;
        let _ = timeout_at(deadline, self.done()).await;
        let mut quiet = Instant::now();
        while quiet.elapsed() < QUIET && Instant::now() < deadline {
            sleep(Duration::from_millis(50)).await;
            if !self.is_quiet() {
                quiet = Instant::now();
            }
        }
        quiet.elapsed() >= QUIET
    }

    /// Ends the run, after all is mended: each process lives once more; when all is quiet, all is looked at once more, and
    /// all leave. Each of it for `bound` at most; the checks find what was not reached by then.
    ///
    /// # Panics
    /// When one who played did.
    pub async fn finish(mut self, bound: Duration) {
        self.stop.cancel();
        self.quiet(bound).await;
        self.readers.iter().for_each(|reader| reader.look(true));
        self.tuners.iter().for_each(Tuner::last);
        self.over.cancel();
        let deadline = Instant::now() + bound;
        while let Ok(Some(ended)) = timeout_at(deadline, self.clients.join_next()).await {
            if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
                resume_unwind(panic);
            }
        }
        self.clients.shutdown().await;
    }

    /// Whether nothing is under way, as each node sees it.
    fn is_quiet(&self) -> bool {
        let tables = self.tables.iter();
        let is_listed = |reader: &Reader| reader.shows(&self.registered);
        tables.map(Shards::table).all(|table| is_settled(&table))
            && self.readers.iter().all(is_listed)
            && self.tuners.iter().all(|tuner| !tuner.has_moved())
    }
}

/// Each row has an owner that is there, and none moves.
fn is_settled(table: &Table) -> bool {
    let is_settled = |row: &Row| {
        let moves = row.next.is_some() || row.phase.is_some() || row.prev.is_some();
        table.is_live(&row.owner) && !moves
    };
    table.rows().count() == table.len() as usize && table.rows().all(|(.., row)| is_settled(row))
}

impl Drop for Players {
    fn drop(&mut self) {
        self.stop.cancel();
        self.over.cancel();
    }
}

/// A registry of the values that members have.
type Book = Registry<u64>;
