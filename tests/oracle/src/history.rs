//! What happened in a run, as every layer of the tests records it: operations, deliveries, samples, statuses, faults, and
//! the truth of the log.
//!
//! It judges nothing: that is what [`checks`](crate::checks) are for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use globe::Position;
use serde::{Deserialize, Serialize};

/// When something happened: `tick` orders everything of a run, even what happened in one instant of a paused clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct At {
    /// Counts what was recorded. If one thing ended before another began, its tick is smaller.
    pub tick: u64,
    /// Microseconds of tokio's clock since the recorder was made.
    pub micros: u64,
}

/// The values a workload writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Value {
    /// Which attempt wrote it: no two attempts of a run share one.
    pub tag: String,
    /// The balance of an account.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub amount: i64,
    /// The tags appended so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<String>,
}

fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

/// One key of one keyspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The keyspace.
    pub keyspace: String,
    /// The key.
    pub key: String,
}

/// One version of a key, as a replica shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The tag of the value.
    pub tag: String,
    /// The commit that created the key.
    pub created: u64,
    /// The commit that wrote this version.
    pub modified: u64,
}

/// A key and its version.
pub type Shown = (String, Version);

/// The first event: what the run promised about itself, and by what it is to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What replays it.
    pub seed: u64,
    /// How many nodes took part.
    pub nodes: u32,
    /// The log promises that nothing lands after its outcome was reported, unknown outcomes included.
    pub fenced: bool,
    /// The log keeps its contract: whoever accuses it is wrong.
    pub honest: bool,
    /// The bounds it is judged by.
    pub limits: Limits,
}

/// The bounds a run is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A node cut off for longer than this must not call itself live.
    pub detection_micros: u64,
    /// After the last fault was healed, every node must be live again within this.
    pub heal_micros: u64,
    /// What a node shows, its watches deliver within this, unless their own listener dawdles.
    pub watch_micros: u64,
    /// How far clocks of threads may disagree about one moment.
    pub slack_micros: u64,
    /// The fewest acknowledged writes a run must have made.
    pub min_writes: usize,
    /// The fewest samples.
    pub min_samples: usize,
    /// The fewest deliveries to watches.
    pub min_deliveries: usize,
    /// The fewest faults injected.
    pub min_faults: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            detection_micros: 2_000_000,
            heal_micros: 30_000_000,
            watch_micros: 250_000,
            slack_micros: 1_000,
            min_writes: 1,
            min_samples: 1,
            min_deliveries: 1,
            min_faults: 0,
        }
    }
}

/// One operation of one client, which never has two at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Who.
    pub client: u32,
    /// Through which node.
    pub node: u32,
    /// What.
    pub action: Action,
    /// The tags of its attempts, in order: only the last may ever land.
    pub tags: Vec<String>,
    /// When it began.
    pub call: At,
    /// When it returned; `None` when it was abandoned.
    pub ret: Option<At>,
    /// What it returned.
    pub outcome: Outcome,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// `put`.
    Put(Place),
    /// `create`.
    Create(Place),
    /// `put_if` at a revision.
    PutIf(Place, u64),
    /// `delete`.
    Delete(Place),
    /// `delete_if` at a revision.
    DeleteIf(Place, u64),
    /// `update`: what the last call of the closure was handed.
    Update(Place, Option<String>),
    /// `put_all`.
    PutAll(Vec<Place>),
    /// `transact`: what the last call of the closure read and wrote.
    Transact {
        /// Each key read, and the value it held.
        reads: Vec<(Place, Option<Value>)>,
        /// Each key written.
        writes: Vec<Place>,
    },
    /// `sync` of a keyspace.
    Sync(String),
    /// `view_at` of a keyspace.
    ViewAt(String, Asked),
}

impl Action {
    /// The keys it writes.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        match self {
            Action::Put(place)
            | Action::Create(place)
            | Action::PutIf(place, _)
            | Action::Delete(place)
            | Action::DeleteIf(place, _)
            | Action::Update(place, _) => std::slice::from_ref(place),
            Action::PutAll(places) => places,
            Action::Transact { writes, .. } => writes,
            Action::Sync(_) | Action::ViewAt(..) => &[],
        }
    }
}

/// The consistency a view was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// At least this position.
    AtLeast(Position),
    /// Everything committed before the call.
    Linearizable,
    /// No older than this many microseconds.
    Within(u64),
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done; where, if the call says so.
    Done(Option<Position>),
    /// A delete that found nothing to delete.
    Nothing,
    /// A precondition failed: the log's position, and what was said to stand at each key.
    Conflict(Position, Vec<(Place, Option<Version>)>),
    /// Unknown.
    Indeterminate,
    /// Committed, but not visible by the deadline.
    Behind(Position),
    /// Definitely not done: the kind of the error.
    Refused(String),
    /// Abandoned by its caller.
    Never,
}

/// What a watch covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// Everything.
    All,
    /// One key.
    Key(String),
    /// The keys that begin so.
    Prefix(String),
}

impl Filter {
    /// Whether it covers a key.
    #[must_use]
    pub fn covers(&self, key: &str) -> bool {
        match self {
            Filter::All => true,
            Filter::Key(mine) => mine == key,
            Filter::Prefix(prefix) => key.starts_with(prefix.as_str()),
        }
    }
}

/// How a watch moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// By the net difference.
    Latest,
    /// Revision by revision, with this many kept for it.
    EveryRevision(usize),
}

/// A watch began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Which.
    pub watch: u32,
    /// On which node.
    pub node: u32,
    /// On which keyspace.
    pub keyspace: String,
    /// What it covers.
    pub filter: Filter,
    /// How it moves.
    pub mode: Mode,
    /// How long its listener rests after each delivery, at most; it is not judged by its pace when that is more than
    /// nothing.
    pub rest_micros: u64,
    /// Where it began.
    pub position: Position,
    /// What it covered there.
    pub shown: Vec<Shown>,
    /// When.
    pub at: At,
}

/// Why a watch moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// One commit.
    Step,
    /// Several.
    Coalesced,
    /// A snapshot: because the epoch changed.
    NewEpoch,
    /// A snapshot, for another reason.
    Resync,
}

/// What one step of a watch says of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The key.
    pub key: String,
    /// What stood there.
    pub old: Option<Version>,
    /// What stands there.
    pub new: Option<Version>,
    /// The revision it names.
    pub revision: u64,
}

/// One step of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Which watch.
    pub watch: u32,
    /// Where it stood.
    pub from: Position,
    /// Where it stands.
    pub to: Position,
    /// Why it moved.
    pub cause: Cause,
    /// What changed.
    pub changes: Vec<Moved>,
    /// When.
    pub at: At,
}

/// A watch was followed to the end of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which.
    pub watch: u32,
    /// When.
    pub at: At,
}

/// One local read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Who read: one reader reads one thing after the other.
    pub reader: u32,
    /// On which node.
    pub node: u32,
    /// In which keyspace.
    pub keyspace: String,
    /// When it began.
    pub call: At,
    /// When it ended.
    pub ret: At,
    /// What was seen.
    pub read: Read,
}

/// What a local read saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Read {
    /// `get`: the tag found.
    Get(String, Option<String>),
    /// `view`: everything, and where.
    View(Position, Vec<Shown>),
    /// As `View`, at the end of the run, after everything was healed and synchronised.
    Final(Position, Vec<Shown>),
}

/// How a node said it was doing. What it then showed is at least `position`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Which node.
    pub node: u32,
    /// Of which keyspace.
    pub keyspace: String,
    /// Whether it called itself live.
    pub is_live: bool,
    /// How old it said it may be.
    pub staleness_micros: Option<u64>,
    /// Where a view taken right afterwards stood.
    pub position: Position,
    /// Counters of its status: resyncs, violations.
    pub resyncs: u64,
    /// How often the log broke its contract.
    pub violations: u64,
    /// When it was asked.
    pub call: At,
    /// When it had answered.
    pub ret: At,
}

/// Something was broken or mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What, for people.
    pub what: String,
    /// What it means to the checks.
    pub effect: Effect,
    /// When.
    pub at: At,
}

/// What a fault means to the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Nothing in particular: the guarantees hold.
    Disturbs,
    /// From now on this node cannot learn of any commit.
    CutsOff(u32),
    /// It can again.
    Reconnects(u32),
    /// Everything is mended, for the rest of the run.
    HealsAll,
}

/// All of a keyspace at one position: where a stretch of truth begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Who told: the log, or one member of it.
    pub member: String,
    /// The keyspace.
    pub keyspace: String,
    /// Where.
    pub position: Position,
    /// Every key, its value, created, modified.
    pub records: Vec<(String, Stored)>,
    /// When it was heard.
    pub at: At,
}

/// What the log holds at a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The value.
    pub value: Value,
    /// The commit that created the key.
    pub created: u64,
    /// The commit that wrote it.
    pub modified: u64,
}

impl Stored {
    /// What a replica should show of it.
    #[must_use]
    pub fn version(&self) -> Version {
        Version {
            tag: self.value.tag.clone(),
            created: self.created,
            modified: self.modified,
        }
    }
}

/// What one commit did to one keyspace; without changes: nothing else happened up to here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Who told.
    pub member: String,
    /// The keyspace.
    pub keyspace: String,
    /// Which commit.
    pub position: Position,
    /// Each key it touched, and what it left there.
    pub changes: Vec<(String, Option<Stored>)>,
    /// When it was heard.
    pub at: At,
}

/// Something counted, to see whether it grows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// What: `tasks`, `descriptors`, `bytes`.
    pub what: String,
    /// How many.
    pub value: u64,
    /// How many more than at first are no leak.
    pub tolerance: u64,
    /// When.
    pub at: At,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is documented as the type it holds")]
pub enum Event {
    Run(Run),
    Op(Op),
    Opened(Opened),
    Delivered(Delivered),
    Ended(Ended),
    Sample(Sample),
    Health(Health),
    Fault(Fault),
    Base(Base),
    Truth(Truth),
    Gauge(Gauge),
}

/// Everything that was recorded, in the order in which it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The events.
    pub events: Vec<Event>,
}

/// Picks the events of one kind.
macro_rules! of_kind {
    ($($(#[$doc:meta])* $name:ident: $kind:ident),*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> impl Iterator<Item = &$kind> {
            self.events.iter().filter_map(|event| match event {
                Event::$kind(inner) => Some(inner),
                _ => None,
            })
        }
    )*};
}

impl History {
    of_kind! {
        /// The operations.
        ops: Op,
        /// The watches.
        watches: Opened,
        /// The steps of all watches.
        deliveries: Delivered,
        /// The watches that were followed to the end.
        ended: Ended,
        /// The local reads.
        samples: Sample,
        /// The statuses.
        healths: Health,
        /// The faults.
        faults: Fault,
        /// The beginnings of truth.
        bases: Base,
        /// The commits.
        truths: Truth,
        /// The counts.
        gauges: Gauge
    }

    /// The header of the run; the default if none was recorded.
    #[must_use]
    pub fn run(&self) -> Run {
        let found = self.events.iter().find_map(|event| match event {
            Event::Run(run) => Some(run.clone()),
            _ => None,
        });
        found.unwrap_or(Run {
            seed: 0,
            nodes: 0,
            fenced: false,
            honest: true,
            limits: Limits::default(),
        })
    }

    /// Writes it as JSON, one event a line.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for event in &self.events {
            serde_json::to_writer(&mut file, event)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }

    /// Reads what [`History::save`] wrote.
    ///
    /// # Errors
    /// What the file system says, or `InvalidData` with the line that is no event.
    pub fn load(path: impl AsRef<Path>) -> io::Result<History> {
        let mut events = Vec::new();
        for (number, line) in BufReader::new(File::open(path)?).lines().enumerate() {
            let event = serde_json::from_str(&line?).map_err(|error| {
                let why = format!("line {} is no event: {error}", number + 1);
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            events.push(event);
        }
        Ok(History { events })
    }
}
