//! Whether the log takes a commit: by what it is guarded.
//!
//! Never looks at what it would make of the row.

use crate::shards::commit::{By, Change, Commit};
use crate::shards::content::Content;
use crate::shards::look::Rules;
use crate::shards::scope::Mutant;

impl Rules {
    /// Whether the log takes a commit.
    pub(crate) fn takes(&self, head: &Content, commit: &Commit) -> bool {
        let mut members = (0u8..).zip(commit.members);
        self.may_be_taken(head, commit)
            && members.all(|(worker, seen)| seen.is_none_or(|seen| head.created(worker) == seen))
    }

    /// Whether the log could take a commit, now or later: a member that is there may be gone by then.
    pub(crate) fn may_be_taken(&self, head: &Content, commit: &Commit) -> bool {
        let is_at = || head.row.map(|(_, written)| written) == commit.at;
        let any_row = self.is(Mutant::RowUnguarded)
            || self.is(Mutant::MembersUnguarded) && matches!(commit.by, By::Member(_));
        let stands = match commit.by {
            By::Planner { worker, claim } => {
                self.is(Mutant::PlannerUnguarded) || head.claims[usize::from(worker)] == Some(claim)
            }
            By::Member(inc) => head.stands(inc),
        };
        // Who leaves has rewritten its record: whatever names it was written before, so it sees that.
        let leaves = match commit.change {
            Change::Assign(to) | Change::Prepare(to) | Change::Redirect(to) => {
                let seen = commit.seen_to_leave;
                !self.is(Mutant::TargetByCreationAlone) && head.drains(to.worker) != seen
            }
            _ => false,
        };
        let is_its_life = head.epoch == commit.epoch || self.is(Mutant::AnyLife);
        is_its_life && stands && !leaves && (any_row || is_at())
    }
}
