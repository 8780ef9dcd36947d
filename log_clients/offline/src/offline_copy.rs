//! A copy as a process finds it when it starts.
//!
//! Never holds more than the log once said, all of it true at one position.

use std::time::Duration;

use globe_log_client::{Bytes, Position, Record};

use crate::image::Image;
use crate::time::Moment;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OfflineCopy {
    /// Where in the log it stands: a tail from here brings what it lacks, while the log has that history.
    ///
    /// A log that was restored since may have kept its name and passed this revision. Ask it what stood here at the key of the
    /// newest record before you go on, and at [`deleted_last`](OfflineCopy::deleted_last): a map does.
    pub position: Position,
    /// At most how long before it was read the log was last known to stand there; nothing where no clock can tell.
    ///
    /// While the machine was not started anew, that is no less than the time that has passed. Across a start of it there is
    /// only the wall clock: where that was set back by less than the time that has passed, nobody can tell, and this says less.
    pub age: Option<Duration>,
    /// All records, in the order of their keys. Those under a lease are among them, though it may have ended since. They share
    /// the memory the file was read into, which is freed when the last of them is.
    pub records: Vec<Record>,
    /// A key that the last change deleted, where it did, and the file still tells: at the position nothing stands there. What
    /// else was deleted, no record shows.
    pub deleted_last: Option<Bytes>,
}

impl OfflineCopy {
    pub(crate) fn of(image: Image, now: Moment) -> OfflineCopy {
        OfflineCopy {
            position: image.position,
            age: image.current.age(now),
            records: image.records.into_values().collect(),
            deleted_last: image.deleted_last,
        }
    }
}
