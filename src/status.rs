//! How the map is doing: whether it follows, how old it may be, what went wrong.
//!
//! It only reports: nothing is decided here.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use globe_log_client::{Error, Position};
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
    /// Closed by [`Globe::close`](crate::Globe::close). Reads go on showing the last state.
    Closed,
    /// Given up, for the reason in [`Status::last_error`]: wrong credentials at the first attempt, or an undecodable
    /// value under the builder's `strict`. Reads go on showing the last state.
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
    /// The last failure to reach or follow the log; `None` while all is well.
    pub last_error: Option<Error>,
}

/// What happened to a replica so far.
#[derive(Debug, Default)]
struct Events {
    reopens: u64,
    violations: u64,
    proved: Option<Instant>,
    last_error: Option<Error>,
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
            events.last_error = None;
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

    pub(crate) fn failed(&self, error: &Error) {
        self.with(|events| events.last_error = Some(error.clone()));
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
            last_error: events.last_error.clone(),
        })
    }
}
