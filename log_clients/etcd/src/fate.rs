//! What became of a commit, by what was heard of it and what stands in its slot: one table.
//!
//! Never talks to a server, and never touches a slot: others do as the table says.

use etcd_client::proto::PbKeyValue;

use crate::fault::Class;
use crate::records::revision;

/// What a server was asked about a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To carry it out, if its preconditions hold and its slot is as it was taken.
    Commit,
    /// To rewrite the slot, if it is as it was taken.
    Rewrite,
    /// To delete the slot, if it is as it was taken, and then to end the writer's lease.
    Delete,
    /// What stands in the slot.
    Read,
}

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It was done, at this revision.
    Done(u64),
    /// The lease is gone, and nothing that needs it can land any more. Before that the slot was deleted, if it had ever
    /// been written.
    Ended {
        was_written: bool,
    },
    /// It was not done: this stands in the slot.
    Slot(Slot),
    Failed(Class),
}

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// What stood there when it was taken.
    AsTaken,
    /// The tag of the very commit that is asked about, since this revision.
    Own(u64),
    /// Something else, since this revision.
    Other(u64),
    /// Nothing, though something stood there: its lease has ended.
    Gone,
}

/// What became of the commit, or what to do to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was carried out, at this revision.
    Applied(u64),
    /// Nothing was written: a precondition does not hold.
    Refused,
    /// Nothing was written, and no copy of it can land any more.
    NotApplied,
    /// Nothing was written: what went wrong is the answer.
    Failed,
    /// Nothing was written: this role may not write slots, or not the records themselves.
    Denied,
    /// Nothing was written: a lease is gone, the writer's or the caller's.
    LeaseGone,
    /// It may or may not have been carried out: ask this.
    Ask(Asked),
    /// It may or may not have been carried out, and nobody can tell.
    Unknowable,
}

impl Slot {
    /// What stands in a slot that was last written at `taken` (0: never) when it was taken for the commit with this tag.
    pub(crate) fn of(found: Option<&PbKeyValue>, taken: u64, tag: &[u8]) -> Slot {
        let Some(found) = found else {
            return if taken == 0 {
                Slot::AsTaken
            } else {
                Slot::Gone
            };
        };
        let at = revision(found.mod_revision).0;
        if found.value == tag {
            Slot::Own(at)
        } else if at == taken {
            Slot::AsTaken
        } else {
            Slot::Other(at)
        }
    }
}

/// The table. Whatever is asked next is asked later in the order of `Asked`, so that there is an end.
pub(crate) fn fate(asked: Asked, heard: Heard) -> Fate {
    use Asked::{Commit, Delete, Read, Rewrite};
    use Heard::{Done, Ended, Failed, Slot as Shows};
    match (asked, heard) {
        // Before anything else: a request may be delivered twice on its way, and then the first copy is what refuses the
        // second.
        (_, Shows(Slot::Own(at))) | (Commit, Done(at)) => Fate::Applied(at),

        (Commit, Shows(Slot::AsTaken)) => Fate::Refused,
        (Commit, Shows(Slot::Other(_) | Slot::Gone)) => Fate::NotApplied,
        (Commit, Failed(Class::TooLargeToDecode)) => Fate::Ask(Rewrite),
        (Commit, Failed(class)) if class.is_unknown() => Fate::Ask(Rewrite),
        (Commit, Failed(Class::Unchecked)) => Fate::NotApplied,
        (Commit, Failed(Class::Full)) => Fate::Ask(Read),
        (Commit, Failed(Class::LeaseGone)) => Fate::LeaseGone,
        (Commit, Failed(Class::Denied)) => Fate::Denied,
        (Commit, Failed(_)) => Fate::Failed,

        // The slot's old state never comes back, so what did not write it in time never will.
        (Rewrite, Done(_)) | (Rewrite | Delete | Read, Shows(Slot::Other(_))) => Fate::NotApplied,
        // A log that takes no puts may take a delete.
        (Rewrite, Failed(Class::Full)) => Fate::Ask(Delete),
        (Delete, Ended { was_written: true }) => Fate::NotApplied,
        // It is read after the server has answered, and then nothing is under way any more.
        (Read, Shows(Slot::AsTaken)) => Fate::NotApplied,

        // What was never written leaves no trace of a deletion, and until the lease ended the commit could land.
        (Delete, Ended { was_written: false }) => Fate::Unknowable,
        // The slot ended with its lease, perhaps after the commit.
        (Rewrite | Delete | Read, Shows(Slot::Gone) | Failed(_)) => Fate::Unknowable,
        // Nothing answers so.
        (Rewrite | Delete, Shows(Slot::AsTaken))
        | (Delete | Read, Done(_))
        | (Commit | Rewrite | Read, Ended { .. }) => Fate::Unknowable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Asked; 4] = [Asked::Commit, Asked::Rewrite, Asked::Delete, Asked::Read];

    fn holds(asked: Asked, rows: &[(Heard, Fate)]) {
        for (heard, expected) in rows {
            assert_eq!(fate(asked, *heard), *expected, "{asked:?}: {heard:?}");
        }
    }

    #[test]
    fn its_own_tag_in_the_slot_is_success_whatever_was_asked() {
        for asked in ALL {
            holds(asked, &[(Heard::Slot(Slot::Own(7)), Fate::Applied(7))]);
        }
    }

    #[test]
    fn a_commit_is_told_by_its_answer_and_its_slot() {
        use Heard::{Done, Failed, Slot as Shows};
        let rows = [
            (Done(7), Fate::Applied(7)),
            (Shows(Slot::AsTaken), Fate::Refused),
            (Shows(Slot::Other(6)), Fate::NotApplied),
            (Shows(Slot::Gone), Fate::NotApplied),
            (Failed(Class::Unknown), Fate::Ask(Asked::Rewrite)),
            (Failed(Class::OutOfTime), Fate::Ask(Asked::Rewrite)),
            (Failed(Class::Unchecked), Fate::NotApplied),
            (Failed(Class::TooLargeToDecode), Fate::Ask(Asked::Rewrite)),
            (Failed(Class::Full), Fate::Ask(Asked::Read)),
            (Failed(Class::LeaseGone), Fate::LeaseGone),
            (Failed(Class::Denied), Fate::Denied),
            (Failed(Class::NeverSent), Fate::Failed),
            (Failed(Class::NotExecuted), Fate::Failed),
            (Failed(Class::StaleToken), Fate::Failed),
            (Failed(Class::NotEtcd), Fate::Failed),
            (Failed(Class::Refused), Fate::Failed),
        ];
        holds(Asked::Commit, &rows);
    }

    #[test]
    fn a_rewritten_slot_proves_that_nothing_can_land() {
        use Heard::{Done, Failed, Slot as Shows};
        let rows = [
            (Done(8), Fate::NotApplied),
            (Shows(Slot::Other(8)), Fate::NotApplied),
            (Shows(Slot::Gone), Fate::Unknowable),
            (Shows(Slot::AsTaken), Fate::Unknowable),
            (Failed(Class::Full), Fate::Ask(Asked::Delete)),
            (Failed(Class::LeaseGone), Fate::Unknowable),
            (Failed(Class::Unknown), Fate::Unknowable),
            (Failed(Class::NeverSent), Fate::Unknowable),
            (Failed(Class::Denied), Fate::Unknowable),
        ];
        holds(Asked::Rewrite, &rows);
    }

    #[test]
    fn a_full_log_is_told_by_a_slot_that_is_deleted_or_read() {
        use Heard::{Ended, Failed, Slot as Shows};
        let deleted = [
            (Ended { was_written: true }, Fate::NotApplied),
            (Ended { was_written: false }, Fate::Unknowable),
            (Shows(Slot::Other(8)), Fate::NotApplied),
            (Shows(Slot::Gone), Fate::Unknowable),
            (Failed(Class::Unknown), Fate::Unknowable),
            (Failed(Class::Full), Fate::Unknowable),
        ];
        holds(Asked::Delete, &deleted);
        let read = [
            (Shows(Slot::AsTaken), Fate::NotApplied),
            (Shows(Slot::Other(8)), Fate::NotApplied),
            (Shows(Slot::Gone), Fate::Unknowable),
            (Failed(Class::Unknown), Fate::Unknowable),
        ];
        holds(Asked::Read, &read);
    }

    #[test]
    fn what_is_asked_next_comes_later_so_there_is_an_end() {
        let order = |asked| ALL.iter().position(|one| *one == asked);
        let classes = [Class::Unknown, Class::TooLargeToDecode, Class::Full];
        for asked in ALL {
            for class in classes {
                if let Fate::Ask(next) = fate(asked, Heard::Failed(class)) {
                    assert!(order(next) > order(asked), "{asked:?} {class:?}");
                }
            }
        }
    }

    #[test]
    fn a_slot_is_told_by_its_tag_first_and_by_its_revision_then() {
        let record = |at, value: &str| PbKeyValue {
            mod_revision: at,
            value: value.into(),
            ..PbKeyValue::default()
        };
        let table = [
            (None, 0, Slot::AsTaken),
            (None, 5, Slot::Gone),
            (Some(record(5, "old")), 5, Slot::AsTaken),
            (Some(record(6, "old")), 5, Slot::Other(6)),
            (Some(record(6, "other")), 0, Slot::Other(6)),
            (Some(record(6, "tag")), 5, Slot::Own(6)),
            (Some(record(6, "tag")), 0, Slot::Own(6)),
        ];
        for (found, taken, expected) in table {
            assert_eq!(Slot::of(found.as_ref(), taken, b"tag"), expected);
        }
    }
}
