//! Turns what the map shows into what the history holds.
//!
//! Never records anything itself.

use globe::{Change, Claim, Entry, Error, ErrorKind, Position, ResyncReason, View};

use crate::ballast::{AROUND, BALLAST, standing_for};
use crate::history::{Cause, Moved, Outcome, Place, Shown, Stood, Value, Version};

/// The version of an entry.
pub(crate) fn version(entry: &Entry<Value>) -> Version {
    Version {
        tag: entry.value().tag.clone(),
        created: entry.created().revision().0,
        modified: entry.version().revision().0,
    }
}

/// All a view holds. Its ballast is one entry, and is not walked through.
pub(crate) fn shown(view: &View<String, Value>) -> Vec<Shown> {
    let [before, behind] = AROUND.map(|range| {
        let entries = view.range(range);
        let shown = entries.map(|(key, entry)| (key.clone(), version(entry)));
        shown.collect::<Vec<_>>()
    });
    let entries = view.len() - before.len() - behind.len();
    let ballast = (entries > 0).then(|| (BALLAST.to_owned(), standing_for(entries).version()));
    before.into_iter().chain(ballast).chain(behind).collect()
}

/// All that a view of claims holds: of each, its record is its tag.
pub(crate) fn shown_claims(view: &View<String, Claim>) -> Vec<Shown> {
    let version = |entry: &Entry<Claim>| Version {
        tag: serde_json::to_string(&**entry.value()).unwrap_or_default(),
        created: entry.created().revision().0,
        modified: entry.version().revision().0,
    };
    let entries = view.iter();
    entries
        .map(|(key, entry)| (key.clone(), version(entry)))
        .collect()
}

/// One change of a watch.
pub(crate) fn moved(change: &Change<String, Value>) -> Moved {
    Moved {
        key: change.key().clone(),
        old: change.old().map(version),
        new: change.new().map(version),
        revision: change.position().revision.0,
    }
}

/// Why a watch moved.
pub(crate) fn cause(cause: globe::Cause) -> Cause {
    match cause {
        globe::Cause::Step => Cause::Step,
        globe::Cause::Coalesced => Cause::Coalesced,
        globe::Cause::Resync(ResyncReason::EpochChanged) => Cause::NewEpoch,
        _ => Cause::Resync,
    }
}

/// What a write returned.
pub(crate) fn outcome(returned: Result<Option<Position>, Error>) -> Outcome {
    match returned {
        Ok(position) => Outcome::Done(position),
        Err(error) => failure(&error),
    }
}

/// What an error says.
pub(crate) fn failure(error: &Error) -> Outcome {
    match error.kind() {
        ErrorKind::Conflict(conflict) => {
            let failed = conflict.failed.iter().map(|failed| {
                let place = Place {
                    keyspace: failed.keyspace().to_string(),
                    key: String::from_utf8_lossy(failed.key()).into_owned(),
                };
                let found = failed.found().map(|found| Stood {
                    created: found.created.0,
                    modified: found.modified.0,
                });
                (place, found)
            });
            Outcome::Conflict(conflict.position, failed.collect())
        }
        // Of a write that was committed in a life that ended, nobody says whether the next one begins with it.
        ErrorKind::Indeterminate | ErrorKind::EpochChanged => Outcome::Indeterminate,
        ErrorKind::Behind(position) => Outcome::Behind(*position),
        kind => Outcome::Refused(kind.to_string()),
    }
}
