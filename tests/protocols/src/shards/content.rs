//! The log: the row, the members, the claims of those that plan, its lives, and one backup.
//!
//! Never knows what its clients want; it holds what reached it.

/// One life of a member: whose, and the commit that created its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inc {
    pub worker: u8,
    pub created: u8,
}

/// Where the row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Settled,
    Prepare(Inc),
    Drain(Inc),
    Leaving(Inc),
}

/// The row, as far as it differs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    pub owner: Inc,
    pub term: u8,
    pub stage: Stage,
}

impl Row {
    pub(crate) fn others(&self) -> Option<Inc> {
        match self.stage {
            Stage::Settled => None,
            Stage::Prepare(other) | Stage::Drain(other) | Stage::Leaving(other) => Some(other),
        }
    }

    pub(crate) fn names(&self, inc: Inc) -> bool {
        self.owner == inc || self.others() == Some(inc)
    }

    pub(crate) fn incs_mut(&mut self) -> impl Iterator<Item = &mut Inc> {
        let other = match &mut self.stage {
            Stage::Settled => None,
            Stage::Prepare(other) | Stage::Drain(other) | Stage::Leaving(other) => Some(other),
        };
        std::iter::once(&mut self.owner).chain(other)
    }
}

/// The record of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    pub created: u8,
    /// It wants to leave.
    pub drains: bool,
}

/// As many as there can be.
pub const WORKERS: usize = 3;

/// What stood at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Content {
    pub epoch: u8,
    /// The newest commit.
    pub last: u8,
    /// The row, and the commit that wrote it.
    pub row: Option<(Row, u8)>,
    pub members: [Option<Member>; WORKERS],
    /// The claims of those that plan, each by the commit that created it.
    pub claims: [Option<u8>; WORKERS],
}

impl Content {
    pub(crate) fn created(&self, worker: u8) -> Option<u8> {
        self.members[usize::from(worker)].map(|member| member.created)
    }

    pub(crate) fn stands(&self, inc: Inc) -> bool {
        self.created(inc.worker) == Some(inc.created)
    }

    pub(crate) fn drains(&self, worker: u8) -> bool {
        self.members[usize::from(worker)].is_some_and(|member| member.drains)
    }

    /// Those that stand.
    pub(crate) fn incs(&self) -> impl Iterator<Item = Inc> {
        let members = self.members.iter().enumerate();
        members.filter_map(|(worker, member)| {
            member.map(|member| Inc {
                worker: worker as u8,
                created: member.created,
            })
        })
    }

    /// Those that may be given something: who leaves is not.
    pub(crate) fn up(&self) -> impl Iterator<Item = Inc> {
        self.incs().filter(|inc| !self.drains(inc.worker))
    }

    /// Who plans: the first of those that want to.
    pub(crate) fn planner(&self) -> Option<u8> {
        let claims = (0u8..).zip(self.claims);
        let claims = claims.filter_map(|(worker, created)| Some((created?, worker)));
        claims.min().map(|(_, worker)| worker)
    }

    /// A session has ended, and what stood under it.
    pub(crate) fn end(&mut self, worker: u8) {
        self.members[usize::from(worker)] = None;
        self.claims[usize::from(worker)] = None;
    }

    /// Every number of a commit in it.
    pub(crate) fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u8> {
        let row = self.row.iter_mut().flat_map(|(row, written)| {
            let incs = row.incs_mut().map(|inc| &mut inc.created);
            incs.chain(std::iter::once(written))
        });
        let members = self.members.iter_mut().flatten();
        let members = members.map(|member| &mut member.created);
        row.chain(members)
            .chain(self.claims.iter_mut().flatten())
            .chain(std::iter::once(&mut self.last))
    }
}
