//! The ids of rows: of one commit, one after the other, and of later commits higher ones.
//!
//! Never has room for more than [`MOST`] rows of one commit.

use globe_log_client::Revision;

/// An id of a row is its revision, shifted by so many bits, and its place in that commit.
const PLACES: u32 = 20;

/// How many rows one commit may have.
pub(crate) const MOST: usize = 1 << PLACES;

/// The first id of a revision.
pub(crate) fn first(revision: Revision) -> i64 {
    (revision.0 << PLACES).cast_signed()
}

/// The last id that is not newer than a revision.
pub(crate) fn last(revision: Revision) -> i64 {
    first(revision.next()) - 1
}

/// The revision of an id.
pub(crate) fn revision(id: i64) -> Revision {
    Revision(id.cast_unsigned() >> PLACES)
}

/// Where a row goes: ids of one commit, one after the other.
pub(crate) struct Places {
    next: i64,
}

impl Places {
    pub(crate) fn of(revision: Revision) -> Places {
        Places {
            next: first(revision),
        }
    }

    pub(crate) fn take(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }
}
