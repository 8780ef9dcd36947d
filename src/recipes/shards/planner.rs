//! What a planner is: it says of a table which rows should go where.
//!
//! Never moves anything: what is planned is made by the eight changes, each for as far as it may be.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::shard_member::Peer;
use crate::recipes::shards::table::Table;

/// Decides where shards go. It is asked again after each change of the table, so it needs no memory: what it plans is made of the
/// table as it stands, and what of a plan was not made is planned anew.
///
/// It is called on a runtime thread, and should take no longer than some milliseconds. One that panics plans nothing.
///
/// ```
/// use globe::shards::{Move, Planner, Situation};
///
/// /// Gives every shard that has no owner to the first member there is, and leaves all others where they are.
/// #[derive(Debug)]
/// struct First;
///
/// impl Planner for First {
///     fn plan(&self, situation: &Situation<'_>) -> Vec<Move> {
///         let table = situation.table();
///         let first = table.members().find(|member| situation.takes(member));
///         let Some(first) = first else {
///             return Vec::new();
///         };
///         let shards = table.shards();
///         let alone = shards.filter(|shard| table.owner_of_shard(*shard).is_none());
///         alone.map(|shard| Move::new(shard, 0, first.incarnation().clone())).collect()
///     }
/// }
/// ```
pub trait Planner: fmt::Debug + Send + Sync + 'static {
    /// The moves that are wanted, the most urgent first.
    ///
    /// A move is made if it is possible: a row without an owner, or with a dead one, is given to `to`; a settled row is moved to
    /// it; a row whose owner waits for one that is dead waits for `to`. Of moves of one row the first counts. What is not
    /// possible, or is so already, is passed over: a move to a member that is not there, or of a row that moves.
    fn plan(&self, situation: &Situation<'_>) -> Vec<Move>;
}

/// A move of one row of a table to a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Move {
    /// Which shard.
    pub shard: u32,
    /// The how-manieth of its owners: 0, where each shard has one.
    pub replica: u32,
    /// To whom.
    pub to: Incarnation,
}

impl Move {
    /// A move of the row of a shard and replica to a member.
    #[must_use]
    pub fn new(shard: u32, replica: u32, to: Incarnation) -> Move {
        Move { shard, replica, to }
    }
}

/// What a planner looks at: a table, and what of the past matters. It can be made by hand, to test a planner.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    table: &'a Table,
    is_settled: bool,
    kept_from: BTreeSet<String>,
    resting: HashMap<(u32, u32), Vec<Incarnation>>,
}

impl<'a> Situation<'a> {
    /// A table of which nothing is known besides: memberships are not settled, nobody flaps, nothing rests.
    #[must_use]
    pub fn new(table: &'a Table) -> Situation<'a> {
        Situation {
            table,
            is_settled: false,
            kept_from: BTreeSet::new(),
            resting: HashMap::new(),
        }
    }

    /// The same, with or without members having come, gone or begun to drain of late.
    #[must_use]
    pub fn settled(mut self, is_settled: bool) -> Situation<'a> {
        self.is_settled = is_settled;
        self
    }

    /// The same, where the member of this id takes nothing now, because it comes and goes too often.
    #[must_use]
    pub fn kept_from(mut self, id: impl Into<String>) -> Situation<'a> {
        self.kept_from.insert(id.into());
        self
    }

    /// The same, where this row is not to go to this member now, because it refused or took too long.
    #[must_use]
    pub fn resting(mut self, shard: u32, replica: u32, member: Incarnation) -> Situation<'a> {
        let resting = self.resting.entry((shard, replica)).or_default();
        resting.push(member);
        self
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &'a Table {
        self.table
    }

    /// Whether no member has come, gone or begun to drain for as long as the table's `settle`. Until then shards should not be
    /// moved for balance: whoever is missing may be back at once.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether a member takes shards now: it is up, and does not come and go too often.
    #[must_use]
    pub fn takes(&self, member: &Peer) -> bool {
        member.is_up() && !self.kept_from.contains(member.id())
    }

    /// Whether a row rests from a member: it refused it, or took too long, less than the table's `settle` ago.
    #[must_use]
    pub fn rests(&self, shard: u32, replica: u32, member: &Incarnation) -> bool {
        self.refusers(shard, replica).contains(member)
    }

    /// From whom a row rests.
    pub(crate) fn refusers(&self, shard: u32, replica: u32) -> &[Incarnation] {
        let resting = self.resting.get(&(shard, replica));
        resting.map_or(&[], Vec::as_slice)
    }
}
