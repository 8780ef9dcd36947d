//! What happened in a run, as every layer of the tests records it: operations, deliveries, samples, statuses, faults, and
//! the truth of the log.
//!
//! It judges nothing: that is what [`checks`](crate::checks) are for.

mod claim;
mod commit;
mod operation;
mod recipe;
mod sight;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use claim::{
    Admission, ClaimAsked, ClaimDid, ClaimLimits, ClaimRun, ClaimStep, EntryStep, Fenced, Meddled,
    Meddling, SessionDid, SessionStep, Share, Standing, Verdict,
};
pub use commit::{Base, Stored, Truth};
pub use operation::{Action, Asked, Op, Outcome, Place, Stood, Value};
pub use recipe::{
    LifeDid, LifeStep, Listed, RecipeLimits, RecipeRun, SettingDid, SettingStep, ShardDid,
    ShardStep,
};
pub use sight::{
    Cause, Delivered, Ended, Filter, Health, Mode, Moved, Opened, Read, Sample, Shown, Version,
};

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

/// The first event: what the run promised about itself, and by what it is to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What replays it.
    pub seed: u64,
    /// How many nodes took part.
    pub nodes: u32,
    /// The log promises [`Capabilities::fenced`](globe::Capabilities::fenced).
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
    ClaimRun(ClaimRun),
    SessionStep(SessionStep),
    EntryStep(EntryStep),
    ClaimAsked(ClaimAsked),
    ClaimStep(ClaimStep),
    Fenced(Fenced),
    Admission(Admission),
    Meddled(Meddled),
    RecipeRun(RecipeRun),
    LifeStep(LifeStep),
    ShardStep(ShardStep),
    Listed(Listed),
    SettingStep(SettingStep),
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
        gauges: Gauge,
        /// What was said of the claims that were played.
        claim_runs: ClaimRun,
        /// The steps of all sessions.
        session_steps: SessionStep,
        /// The writes of entries that stand as long as their sessions.
        entry_steps: EntryStep,
        /// The claims.
        claims: ClaimAsked,
        /// The steps of all claims.
        claim_steps: ClaimStep,
        /// The attempts to write under a claim.
        fenced: Fenced,
        /// What was done under claims outside of the log.
        admissions: Admission,
        /// What third parties did.
        meddled: Meddled,
        /// What was said of the recipes that were played.
        recipe_runs: RecipeRun,
        /// The steps of all lives of members.
        life_steps: LifeStep,
        /// The steps of all shards.
        shard_steps: ShardStep,
        /// The looks at services.
        listed: Listed,
        /// The steps of the setting.
        setting_steps: SettingStep
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
