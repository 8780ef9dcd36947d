//! How the map is doing: whether it follows, how old it may be, what went wrong.
//!
//! It only reports: nothing is decided here.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Position};
use tokio::time::Instant;

/// Whether a map follows its log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for the first snapshot: the map is empty because nothing is known, not because nothing is there.
    Hydrating,
    /// Following: what is shown was proved current no longer ago than the builder's `stale_after`.
    Live,
    /// Serving the last known state, which could not be proved current for longer than `stale_after`.
    Stale,
    /// Closed by [`Reader::close`](crate::Reader::close). Reads go on showing the last state.
    Closed,
    /// Given up, for the reason in [`Status::last_error`]: an undecodable value under the builder's `strict`, or a panic in
    /// a key or value of the caller's. Reads go on showing the last state.
    Failed,
}

/// How a map is doing. A picture of one moment; taking it costs no waiting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Whether it follows its log.
    pub phase: Phase,
    /// Where in the log it stands; `None` before the first snapshot.
    pub position: Option<Position>,
    /// How old what is shown can be at most: the time since a linearizable answer of the log last proved it current.
    /// `None` before the first proof. Never under-reported: it counts from before the proving question was asked.
    pub staleness: Option<Duration>,
    /// How many entries there are.
    pub entries: usize,
    /// How many records are kept out because they cannot be decoded.
    pub quarantined: usize,
    /// How many snapshots were installed after the first one.
    pub resyncs: u64,
    /// How often a broken or silent tail was replaced.
    pub reopens: u64,
    /// How often the log delivered what its contract forbids (each was healed by a resync).
    pub violations: u64,
    /// How many attempts to follow the log failed since one last held for five seconds; 0 while all is well. One that grows
    /// while the phase is [`Phase::Live`] tells of a log that has to be read anew again and again.
    pub failures: u32,
    /// The last failure to reach or follow the log; `None` while all is well: it is forgotten when following has held for
    /// five seconds.
    pub last_error: Option<Error>,
}

/// What happened to a replica so far.
#[derive(Debug, Default)]
struct Events {
    reopens: u64,
    violations: u64,
    proved: Option<Instant>,
    failures: u32,
    /// Why following broke.
    broke: Option<Error>,
    /// Why the last question after the head was not answered.
    unanswered: Option<Error>,
    /// When the log first and last refused what only a person can mend, with nothing else in between.
    refused: Option<(Instant, Instant)>,
}

/// The health of one replica, written by its tasks and read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Events>);

impl Health {
    fn with<T>(&self, act: impl FnOnce(&mut Events) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is applied now covers a linearizable answer to a question asked at `asked`.
    pub(crate) fn prove(&self, asked: Instant) {
        self.with(|events| {
            events.proved = events.proved.max(Some(asked));
            events.unanswered = None;
        });
    }

    /// How long ago the last proof was asked for.
    pub(crate) fn staleness(&self) -> Option<Duration> {
        self.with(|events| events.proved)
            .map(|asked| asked.elapsed())
    }

    pub(crate) fn reopened(&self) {
        self.with(|events| events.reopens += 1);
    }

    /// Counts a violation; whether it is the first.
    pub(crate) fn violated(&self) -> bool {
        self.with(|events| {
            events.violations += 1;
            events.violations == 1
        })
    }

    /// An attempt to follow the log failed.
    pub(crate) fn failed(&self, error: &Error) {
        self.with(|events| {
            events.failures = events.failures.saturating_add(1);
            events.refused = match is_refusal(error) {
                true => {
                    let now = Instant::now();
                    Some((events.refused.map_or(now, |(first, _)| first), now))
                }
                false => None,
            };
            events.broke = Some(error.clone());
        });
    }

    /// The log was asked how far it is, and did not answer.
    pub(crate) fn unanswered(&self, error: &Error) {
        self.with(|events| events.unanswered = Some(error.clone()));
    }

    /// The log let itself be read: it refuses nothing.
    pub(crate) fn admitted(&self) {
        self.with(|events| events.refused = None);
    }

    /// Following has held for a while.
    pub(crate) fn settled(&self) {
        self.with(|events| {
            events.failures = 0;
            (events.broke, events.refused) = (None, None);
        });
    }

    /// The refusal that was repeated for so long, if there is one.
    pub(crate) fn refusal(&self, standing: Duration) -> Option<Error> {
        self.with(|events| {
            let (first, last) = events.refused?;
            let has_stood = last.duration_since(first) >= standing;
            events.broke.clone().filter(|_| has_stood)
        })
    }

    /// A status of nothing but what is known here. To be asked before the replica: what is proved now holds for every
    /// later state of it, but not the other way round.
    pub(crate) fn status(&self) -> Status {
        self.with(|events| Status {
            phase: Phase::Hydrating,
            position: None,
            staleness: events.proved.map(|asked| asked.elapsed()),
            entries: 0,
            quarantined: 0,
            resyncs: 0,
            reopens: events.reopens,
            violations: events.violations,
            failures: events.failures,
            last_error: events.broke.clone().or_else(|| events.unanswered.clone()),
        })
    }
}

/// Whether a person has to mend something, as far as can be told.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Unsupported
    )
}
