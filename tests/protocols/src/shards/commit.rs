//! What is under way to the log, for however long, and what it is guarded by.
//!
//! Never changes on its way: what a sender has learnt since does not reach it.

use crate::shards::content::{Content, Inc, Row, WORKERS};
use crate::shards::look::Rules;
use crate::shards::scope::Mutant;

/// What is to become of the row: one of the eight changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    Assign(Inc),
    Prepare(Inc),
    Ready,
    Done,
    Refuse,
    Cancel,
    Redirect(Inc),
    Inherit,
}

/// Who commits, and the record that has to stand for it: created by that commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum By {
    /// While its claim stands.
    Planner { worker: u8, claim: u8 },
    /// While its record stands.
    Member(Inc),
}

/// A change, with what it was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Commit {
    pub change: Change,
    pub by: By,
    /// The life of the log.
    pub epoch: u8,
    /// The row as it was seen: by which commit, or none.
    pub at: Option<u8>,
    /// The members that were asked for, as they were seen.
    pub members: [Option<Option<u8>>; WORKERS],
    /// Whether the one that it is to be given to was leaving already, as it was seen.
    pub seen_to_leave: bool,
    /// What the row becomes.
    pub row: Row,
}

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

impl Commit {
    /// Every number of a commit in it.
    pub(crate) fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u8> {
        let change = match &mut self.change {
            Change::Assign(to) | Change::Prepare(to) | Change::Redirect(to) => Some(to),
            _ => None,
        };
        let by = match &mut self.by {
            By::Planner { claim, .. } => claim,
            By::Member(inc) => &mut inc.created,
        };
        let row = self.row.incs_mut().chain(change);
        row.map(|inc| &mut inc.created)
            .chain(self.members.iter_mut().flatten().flatten())
            .chain(&mut self.at)
            .chain(std::iter::once(by))
    }

    pub(crate) fn rename(&mut self, name: impl Fn(&mut u8)) {
        match &mut self.change {
            Change::Assign(to) | Change::Prepare(to) | Change::Redirect(to) => name(&mut to.worker),
            _ => {}
        }
        match &mut self.by {
            By::Planner { worker, .. } => name(worker),
            By::Member(inc) => name(&mut inc.worker),
        }
        self.row.incs_mut().for_each(|inc| name(&mut inc.worker));
    }
}
