//! What is said of a map to people and their monitors: in which phase it is, how old it may be, what went wrong.
//!
//! It only says: nothing is decided here, and nothing waits.

use std::fmt;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Position};
use serde::{Serialize, Serializer};

use crate::entry::change::ResyncReason;
use crate::replica::withheld::Withheld;

/// Whether a map follows its log: [`Status::phase`], and what a [`PhaseWatch`](crate::PhaseWatch) shows. Its text, in `Display` and serde alike, is the name in lower case: `live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
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

impl Phase {
    /// The phase of a map that has ended for a reason or not, was hydrated or not, and was last proved so long ago.
    pub(crate) fn of(
        end: Option<&ErrorKind>,
        is_hydrated: bool,
        proved_for: Option<Duration>,
        stale_after: Duration,
    ) -> Phase {
        let is_fresh = |age| age <= stale_after;
        match end {
            Some(ErrorKind::Closed) => Phase::Closed,
            Some(_) => Phase::Failed,
            None if !is_hydrated => Phase::Hydrating,
            None if proved_for.is_some_and(is_fresh) => Phase::Live,
            None => Phase::Stale,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Hydrating => "hydrating",
            Phase::Live => "live",
            Phase::Stale => "stale",
            Phase::Closed => "closed",
            Phase::Failed => "failed",
        })
    }
}

/// How a map is doing. A picture of one moment; taking it costs no waiting.
///
/// It can be serialised, for a health page or a log line: positions and errors as their texts, durations as seconds with
/// a fraction, under names that say so (`staleness_seconds`, `failing_for_seconds`). What is not there is null. No value of
/// the map and no credential is in it.
///
/// ```
/// # use globe::{Globe, MemoryLog};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let log = MemoryLog::new();
/// let flags: Globe<String, bool> = Globe::open(log, "flags").await.unwrap();
/// let status = serde_json::to_value(flags.status()).unwrap();
/// assert_eq!(status["phase"], "live");
/// assert!(status["staleness_seconds"].as_f64().unwrap() < 1.8);
/// # });
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Whether it follows its log.
    pub phase: Phase,
    /// Where in the log it stands; `None` before the first snapshot.
    #[serde(serialize_with = "as_text")]
    pub position: Option<Position>,
    /// How old what is shown can be at most: the time since a linearizable answer of the log last proved it current.
    /// `None` before the first proof. Never under-reported: it counts from before the proving question was asked.
    ///
    /// Of an [offline copy](crate::Builder::offline) it is the age, as far as the clocks of this host can tell, and `None` where
    /// they cannot.
    #[serde(rename = "staleness_seconds", serialize_with = "in_seconds")]
    pub staleness: Option<Duration>,
    /// Whether it began with an [offline copy](crate::Builder::offline), and the log has proved nothing since. The phase is
    /// [`Phase::Stale`] then, however young the copy is.
    pub from_copy: bool,
    /// What the [guard](crate::Builder::guard) withholds; `None` while the map shows all that it knows.
    pub withheld: Option<Withheld>,
    /// How many entries there are; 0 before the first snapshot.
    pub entries: usize,
    /// How many records are kept out now because they cannot be decoded: [`Reader::quarantine`](crate::Reader::quarantine)
    /// lists them.
    pub quarantined: usize,
    /// How many snapshots were installed after the first one, since the map was opened.
    pub resyncs: u64,
    /// Why the last of them was taken; `None` while there was none.
    pub last_resync: Option<ResyncReason>,
    /// How often a broken or silent tail was replaced, since the map was opened.
    pub reopens: u64,
    /// How often the log delivered what its contract forbids, since the map was opened (each was healed by a resync).
    pub violations: u64,
    /// How many attempts to follow the log failed since one last held for five seconds; 0 while all is well. One that grows
    /// while the phase is [`Phase::Live`] tells of a log that has to be read anew again and again.
    pub failures: u32,
    /// How long ago the trouble began that `last_error` is the latest of; `None` while all is well. A failure that only the
    /// log knows of, whose first call is still trying, is not counted from yet.
    #[serde(rename = "failing_for_seconds", serialize_with = "in_seconds")]
    pub failing_for: Option<Duration>,
    /// The last failure to reach or follow the log; `None` while all is well: it is forgotten when following has held for
    /// five seconds.
    #[serde(serialize_with = "as_text")]
    pub last_error: Option<Error>,
}

fn as_text<S: Serializer>(
    what: &Option<impl fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match what {
        Some(what) => serializer.collect_str(what),
        None => serializer.serialize_none(),
    }
}

fn in_seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Epoch, Revision};

    use super::*;

    #[test]
    fn a_phase_follows_from_the_end_the_hydration_and_the_age() {
        let second = Duration::from_secs(1);
        let (fresh, old) = (Some(second), Some(2 * second));
        let (closed, failed) = (Some(ErrorKind::Closed), Some(ErrorKind::Codec));
        let table = [
            (None, false, None, Phase::Hydrating),
            // The snapshot that is being installed was proved before it is shown.
            (None, false, fresh, Phase::Hydrating),
            (None, true, fresh, Phase::Live),
            (None, true, old, Phase::Stale),
            (None, true, None, Phase::Stale),
            (closed.clone(), false, None, Phase::Closed),
            (closed, true, fresh, Phase::Closed),
            (failed.clone(), false, None, Phase::Failed),
            (failed, true, fresh, Phase::Failed),
        ];
        for (end, is_hydrated, staleness, phase) in table {
            let found = Phase::of(end.as_ref(), is_hydrated, staleness, second);
            assert_eq!(found, phase, "{end:?}, {is_hydrated}, {staleness:?}");
        }
    }

    #[test]
    fn a_phase_is_one_text_wherever_it_is_written() {
        let phases = [
            Phase::Hydrating,
            Phase::Live,
            Phase::Stale,
            Phase::Closed,
            Phase::Failed,
        ];
        for phase in phases {
            assert_eq!(
                serde_json::to_string(&phase).unwrap(),
                format!("\"{phase}\"")
            );
        }
    }

    fn status() -> Status {
        Status {
            phase: Phase::Hydrating,
            position: None,
            staleness: None,
            from_copy: false,
            withheld: None,
            entries: 0,
            quarantined: 0,
            resyncs: 0,
            last_resync: None,
            reopens: 0,
            violations: 0,
            failures: 0,
            failing_for: None,
            last_error: None,
        }
    }

    #[test]
    fn a_status_is_this_json() {
        assert_eq!(
            serde_json::to_string(&status()).unwrap(),
            concat!(
                r#"{"phase":"hydrating","position":null,"staleness_seconds":null,"from_copy":false,"withheld":null,"entries":0,"quarantined":0,"#,
                r#""resyncs":0,"last_resync":null,"reopens":0,"violations":0,"failures":0,"#,
                r#""failing_for_seconds":null,"last_error":null}"#
            )
        );
        let here = Position::new(Epoch::new(0xfe), Revision(7));
        let why = Error::new(ErrorKind::Unavailable, "connection refused");
        let stale = Status {
            phase: Phase::Stale,
            position: Some(here),
            staleness: Some(Duration::from_millis(2_250)),
            from_copy: true,
            withheld: Some(Withheld {
                position: here,
                gone: 3,
                entries: 0,
                is_new_epoch: false,
                held_for: Duration::from_millis(500),
            }),
            entries: 3,
            quarantined: 1,
            resyncs: 2,
            last_resync: Some(ResyncReason::EpochChanged),
            reopens: 4,
            violations: 5,
            failures: 6,
            failing_for: Some(Duration::from_secs(9)),
            last_error: Some(why),
        };
        assert_eq!(
            serde_json::to_string(&stale).unwrap(),
            format!(
                concat!(
                    r#"{{"phase":"stale","position":"{}","staleness_seconds":2.25,"from_copy":true,"#,
                    r#""withheld":{{"position":"{}","gone":3,"entries":0,"is_new_epoch":false,"held_for_seconds":0.5}},"#,
                    r#""entries":3,"quarantined":1,"#,
                    r#""resyncs":2,"last_resync":"epoch_changed","reopens":4,"violations":5,"failures":6,"#,
                    r#""failing_for_seconds":9.0,"last_error":"log unavailable: connection refused"}}"#
                ),
                here, here
            )
        );
    }
}
