//! What became of a commit, by what was asked, what was replied, and what stands in its slot: one table.
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

/// What was replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It was done, at this revision.
    Done(u64),
    /// The lease is gone, and nothing that needs it can land any more. Before that the slot was deleted, if it had ever
    /// been written.
    Ended {
        was_written: bool,
    },
    /// It was not done: this stands in the slot.
    Slot(SlotContent),
    Failed(Class),
}

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotContent {
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
pub(crate) enum Outcome {
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

impl SlotContent {
    /// What stands in a slot that was last written at `taken` (0: never) when it was taken for the commit with this tag.
    pub(crate) fn of(found: Option<&PbKeyValue>, taken: u64, tag: &[u8]) -> SlotContent {
        let Some(found) = found else {
            return if taken == 0 {
                SlotContent::AsTaken
            } else {
                SlotContent::Gone
            };
        };
        let at = revision(found.mod_revision).0;
        if found.value == tag {
            SlotContent::Own(at)
        } else if at == taken {
            SlotContent::AsTaken
        } else {
            SlotContent::Other(at)
        }
    }
}

/// The table. Whatever is asked next is asked later in the order of `Asked`, so that there is an end.
///
/// Rows are pure, so that a test can go through all of them; whoever adds a [`Class`] has to say here what it means for
/// a commit, or it is one of which nothing was written.
pub(crate) fn outcome_of(asked: Asked, reply: Reply) -> Outcome {
    use Asked::{Commit, Delete, Read, Rewrite};
    use Reply::{Done, Ended, Failed, Slot as Shows};
    match (asked, reply) {
        // Before anything else: a request may be delivered twice on its way, and then the first copy is what refuses the
        // second.
        (_, Shows(SlotContent::Own(at))) | (Commit, Done(at)) => Outcome::Applied(at),

        (Commit, Shows(SlotContent::AsTaken)) => Outcome::Refused,
        (Commit, Shows(SlotContent::Other(_) | SlotContent::Gone)) => Outcome::NotApplied,
        (Commit, Failed(Class::TooLargeToDecode)) => Outcome::Ask(Rewrite),
        (Commit, Failed(class)) if class.is_unknown() => Outcome::Ask(Rewrite),
        (Commit, Failed(Class::Unchecked)) => Outcome::NotApplied,
        (Commit, Failed(Class::Full)) => Outcome::Ask(Read),
        (Commit, Failed(Class::LeaseGone)) => Outcome::LeaseGone,
        (Commit, Failed(Class::Denied)) => Outcome::Denied,
        (Commit, Failed(_)) => Outcome::Failed,

        // The slot's old state never comes back, so what did not write it in time never will.
        (Rewrite, Done(_)) | (Rewrite | Delete | Read, Shows(SlotContent::Other(_))) => {
            Outcome::NotApplied
        }
        // A log that takes no puts may take a delete.
        (Rewrite, Failed(Class::Full)) => Outcome::Ask(Delete),
        (Delete, Ended { was_written: true }) => Outcome::NotApplied,
        // It is read after the server has answered, and then nothing is under way any more.
        (Read, Shows(SlotContent::AsTaken)) => Outcome::NotApplied,

        // What was never written leaves no trace of a deletion, and until the lease ended the commit could land.
        (Delete, Ended { was_written: false }) => Outcome::Unknowable,
        // The slot ended with its lease, perhaps after the commit.
        (Rewrite | Delete | Read, Shows(SlotContent::Gone) | Failed(_)) => Outcome::Unknowable,
        // Nothing answers so.
        (Rewrite | Delete, Shows(SlotContent::AsTaken))
        | (Delete | Read, Done(_))
        | (Commit | Rewrite | Read, Ended { .. }) => Outcome::Unknowable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Asked; 4] = [Asked::Commit, Asked::Rewrite, Asked::Delete, Asked::Read];

    fn holds(asked: Asked, rows: &[(Reply, Outcome)]) {
        for (reply, expected) in rows {
            assert_eq!(outcome_of(asked, *reply), *expected, "{asked:?}: {reply:?}");
        }
    }

    #[test]
    fn its_own_tag_in_the_slot_is_success_whatever_was_asked() {
        for asked in ALL {
            holds(
                asked,
                &[(Reply::Slot(SlotContent::Own(7)), Outcome::Applied(7))],
            );
        }
    }

    #[test]
    fn a_commit_is_told_by_its_answer_and_its_slot() {
        use Reply::{Done, Failed, Slot as Shows};
        let rows = [
            (Done(7), Outcome::Applied(7)),
            (Shows(SlotContent::AsTaken), Outcome::Refused),
            (Shows(SlotContent::Other(6)), Outcome::NotApplied),
            (Shows(SlotContent::Gone), Outcome::NotApplied),
            (Failed(Class::Unknown), Outcome::Ask(Asked::Rewrite)),
            (Failed(Class::OutOfTime), Outcome::Ask(Asked::Rewrite)),
            (Failed(Class::Unchecked), Outcome::NotApplied),
            (
                Failed(Class::TooLargeToDecode),
                Outcome::Ask(Asked::Rewrite),
            ),
            (Failed(Class::Full), Outcome::Ask(Asked::Read)),
            (Failed(Class::LeaseGone), Outcome::LeaseGone),
            (Failed(Class::Denied), Outcome::Denied),
            (Failed(Class::NeverSent), Outcome::Failed),
            (Failed(Class::NotExecuted), Outcome::Failed),
            (Failed(Class::StaleToken), Outcome::Failed),
            (Failed(Class::NotEtcd), Outcome::Failed),
            (Failed(Class::Refused), Outcome::Failed),
        ];
        holds(Asked::Commit, &rows);
    }

    #[test]
    fn a_rewritten_slot_proves_that_nothing_can_land() {
        use Reply::{Done, Failed, Slot as Shows};
        let rows = [
            (Done(8), Outcome::NotApplied),
            (Shows(SlotContent::Other(8)), Outcome::NotApplied),
            (Shows(SlotContent::Gone), Outcome::Unknowable),
            (Shows(SlotContent::AsTaken), Outcome::Unknowable),
            (Failed(Class::Full), Outcome::Ask(Asked::Delete)),
            (Failed(Class::LeaseGone), Outcome::Unknowable),
            (Failed(Class::Unknown), Outcome::Unknowable),
            (Failed(Class::NeverSent), Outcome::Unknowable),
            (Failed(Class::Denied), Outcome::Unknowable),
        ];
        holds(Asked::Rewrite, &rows);
    }

    #[test]
    fn a_full_log_is_told_by_a_slot_that_is_deleted_or_read() {
        use Reply::{Ended, Failed, Slot as Shows};
        let deleted = [
            (Ended { was_written: true }, Outcome::NotApplied),
            (Ended { was_written: false }, Outcome::Unknowable),
            (Shows(SlotContent::Other(8)), Outcome::NotApplied),
            (Shows(SlotContent::Gone), Outcome::Unknowable),
            (Failed(Class::Unknown), Outcome::Unknowable),
            (Failed(Class::Full), Outcome::Unknowable),
        ];
        holds(Asked::Delete, &deleted);
        let read = [
            (Shows(SlotContent::AsTaken), Outcome::NotApplied),
            (Shows(SlotContent::Other(8)), Outcome::NotApplied),
            (Shows(SlotContent::Gone), Outcome::Unknowable),
            (Failed(Class::Unknown), Outcome::Unknowable),
        ];
        holds(Asked::Read, &read);
    }

    #[test]
    fn what_is_asked_next_comes_later_so_there_is_an_end() {
        let order = |asked| ALL.iter().position(|one| *one == asked);
        let classes = [Class::Unknown, Class::TooLargeToDecode, Class::Full];
        for asked in ALL {
            for class in classes {
                if let Outcome::Ask(next) = outcome_of(asked, Reply::Failed(class)) {
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
            (None, 0, SlotContent::AsTaken),
            (None, 5, SlotContent::Gone),
            (Some(record(5, "old")), 5, SlotContent::AsTaken),
            (Some(record(6, "old")), 5, SlotContent::Other(6)),
            (Some(record(6, "other")), 0, SlotContent::Other(6)),
            (Some(record(6, "tag")), 5, SlotContent::Own(6)),
            (Some(record(6, "tag")), 0, SlotContent::Own(6)),
        ];
        for (found, taken, expected) in table {
            assert_eq!(SlotContent::of(found.as_ref(), taken, b"tag"), expected);
        }
    }
}
