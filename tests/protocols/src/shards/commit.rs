//! What is under way to the log, for however long, and what it is guarded by.
//!
//! Never changes on its way: what a sender has learnt since does not reach it.

use crate::shards::content::{Inc, Row, WORKERS};

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
