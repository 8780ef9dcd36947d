//! A shard table at one revision: who owns what, and who is there.
//!
//! Never changes: what the log says next is another table, which shares with this one what is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::recipes::hash::{hash, part};
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::record::{RowId, Shape};
use crate::recipes::shards::row::{Mode, Phase, Row, Stage};
use crate::recipes::shards::shard_member::Peer;
use crate::{Epoch, Position, Revision, Token};

/// How many rows are copied when one of them changes.
const CHUNK: usize = 256;

/// A shard table at one revision. Cheap to clone. It is serialised as what a person wants to see of it: its position, shape,
/// members and rows.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) position: Position,
    pub(crate) shape: Shape,
    pub(crate) rows: Rows,
    /// All who are there or own something, by number: nothing for who is not there any more.
    pub(crate) peers: Arc<Vec<Option<Arc<Peer>>>>,
    /// Who is there, by id.
    pub(crate) members: Arc<BTreeMap<String, Arc<Peer>>>,
    /// Where ranges begin, in order, and their shards.
    pub(crate) ranges: Arc<Vec<(String, u32)>>,
    /// Whom an operator wants to have nothing, by id.
    pub(crate) drained: Arc<BTreeSet<String>>,
    /// Whether an operator wants the shards to be spread evenly now.
    pub(crate) is_to_be_rebalanced: bool,
    /// Who wants to plan, in their order: the commit, the key, the name.
    pub(crate) candidates: Arc<BTreeMap<(Revision, String), String>>,
}

/// The rows, in chunks that are copied on write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    chunks: Vec<Arc<Vec<Option<Cell>>>>,
}

/// One row, and the number of its owner.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) row: Arc<Row>,
    pub(crate) owner: u32,
}

impl Rows {
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&Cell> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)?.as_ref()
    }

    pub(crate) fn set(&mut self, at: usize, cell: Option<Cell>) {
        while self.chunks.len() <= at / CHUNK {
            self.chunks.push(Arc::new(vec![None; CHUNK]));
        }
        if let Some(chunk) = self.chunks.get_mut(at / CHUNK)
            && let Some(place) = Arc::make_mut(chunk).get_mut(at % CHUNK)
        {
            *place = cell;
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &Cell)> {
        let cells = self.chunks.iter().flat_map(|chunk| chunk.iter());
        let cells = cells.enumerate();
        cells.filter_map(|(at, cell)| Some((at, cell.as_ref()?)))
    }

    /// Where the rows are not the same as in another table.
    pub(crate) fn changed(&self, before: &Rows) -> Vec<usize> {
        let count = self.chunks.len().max(before.chunks.len());
        let mut changed = Vec::new();
        for chunk in 0..count {
            let (now, then) = (self.chunks.get(chunk), before.chunks.get(chunk));
            if !matches!((now, then), (Some(now), Some(then)) if Arc::ptr_eq(now, then)) {
                let (now, then) = (cells(now), cells(then));
                let differs = |place: &usize| !is_same(now.get(*place), then.get(*place));
                let places = (0..CHUNK).filter(differs);
                changed.extend(places.map(|place| chunk * CHUNK + place));
            }
        }
        changed
    }
}

fn cells(chunk: Option<&Arc<Vec<Option<Cell>>>>) -> &[Option<Cell>] {
    chunk.map_or(&[], |cells| cells)
}

fn is_same(now: Option<&Option<Cell>>, then: Option<&Option<Cell>>) -> bool {
    match (now, then) {
        (Some(Some(now)), Some(Some(then))) => Arc::ptr_eq(&now.row, &then.row),
        (Some(Some(_)), _) | (_, Some(Some(_))) => false,
        _ => true,
    }
}

/// Who owns a shard: a member that is there, and the token under which it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    member: Arc<Peer>,
    token: Token,
    phase: Option<Phase>,
}

impl Owner {
    /// Who.
    #[must_use]
    pub fn member(&self) -> &Arc<Peer> {
        &self.member
    }

    /// The token of its term: greater than that of any owner before, in this life of the log.
    #[must_use]
    pub fn token(&self) -> Token {
        self.token
    }

    /// How far the shard has moved to another, if it is moving.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.phase
    }
}

impl Table {
    /// Which revision of the log it shows.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// What is more important where a shard moves.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shape.mode
    }

    /// How many owners each shard has.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.shape.replicas
    }

    /// How many shards there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        match self.shape.slots {
            Some(slots) => slots,
            None => u32::try_from(self.ranges.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of the shards: `0..len` of slots, in the order of their keys of ranges.
    pub fn shards(&self) -> impl Iterator<Item = u32> + '_ {
        let ranges = self.ranges.iter().map(|(_, shard)| *shard);
        (0..self.shape.slots.unwrap_or_default()).chain(ranges)
    }

    /// Which shard a key belongs to.
    #[must_use]
    #[inline]
    pub fn shard_of(&self, key: impl AsRef<[u8]>) -> u32 {
        let key = key.as_ref();
        match self.shape.slots {
            Some(slots) => part(hash(key), slots),
            None => {
                let after = self
                    .ranges
                    .partition_point(|(from, _)| from.as_bytes() <= key);
                // The first range begins before every key.
                let before = self.ranges.get(after.saturating_sub(1));
                before.map_or(0, |(_, shard)| *shard)
            }
        }
    }

    /// Who owns the shard of a key: its first owner, where it has several. Nothing while nobody does, or its owner is dead and
    /// nobody has been given its shards yet.
    #[must_use]
    #[inline]
    pub fn owner_of(&self, key: impl AsRef<[u8]>) -> Option<Owner> {
        let shard = self.shard_of(key);
        self.owner(RowId { shard, replica: 0 })
    }

    /// All who own the shard of a key, the first of them first.
    #[must_use]
    pub fn owners_of(&self, key: impl AsRef<[u8]>) -> Vec<Owner> {
        let shard = self.shard_of(key);
        let rows = (0..self.shape.replicas).map(|replica| RowId { shard, replica });
        rows.filter_map(|row| self.owner(row)).collect()
    }

    /// Who owns a shard.
    #[must_use]
    pub fn owner_of_shard(&self, shard: u32) -> Option<Owner> {
        self.owner(RowId { shard, replica: 0 })
    }

    /// What the log says of a shard, and of which of its owners; nothing while it has had none.
    #[must_use]
    pub fn row(&self, shard: u32, replica: u32) -> Option<&Arc<Row>> {
        self.cell(RowId { shard, replica }).map(|cell| &cell.row)
    }

    /// All rows there are, by shard and replica.
    pub fn rows(&self) -> impl Iterator<Item = (u32, u32, &Arc<Row>)> {
        let rows = self.rows.iter();
        rows.map(|(at, cell)| {
            let RowId { shard, replica } = self.row_at(at);
            (shard, replica, &cell.row)
        })
    }

    /// Who is there, by id.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Peer>> {
        self.members.values()
    }

    /// The member of an id, if it is there.
    #[must_use]
    pub fn member(&self, id: &str) -> Option<&Arc<Peer>> {
        self.members.get(id)
    }

    /// Whether this very life of a member is there.
    #[must_use]
    pub fn is_live(&self, incarnation: &Incarnation) -> bool {
        let member = self.members.get(incarnation.id());
        member.is_some_and(|member| member.incarnation() == incarnation)
    }

    /// The name of the session that plans, if one does.
    #[must_use]
    pub fn planner(&self) -> Option<&str> {
        let (_, name) = self.candidates.first_key_value()?;
        Some(name)
    }

    /// Whom a row goes to, if he is there.
    pub(crate) fn successor(&self, row: RowId) -> Option<Arc<Peer>> {
        let row = &self.cell(row)?.row;
        let next = match row.stage() {
            Stage::Prepare(next) | Stage::Drain(next) => next,
            Stage::Leaving(_) => &row.owner,
            Stage::Settled => return None,
        };
        let member = self.members.get(next.id());
        member
            .filter(|member| member.incarnation() == next)
            .cloned()
    }

    /// The rows that name a member, whatever they ask of it.
    pub(crate) fn naming<'a>(&'a self, who: &'a Incarnation) -> impl Iterator<Item = RowId> + 'a {
        let names = move |row: &Row| {
            let others = [row.next.as_ref(), row.prev.as_ref()];
            row.owner == *who || others.contains(&Some(who))
        };
        let rows = self.rows.iter().filter(move |(_, cell)| names(&cell.row));
        rows.map(|(at, _)| self.row_at(at))
    }

    /// How many rows are owned by members that are there.
    pub(crate) fn owned(&self) -> usize {
        let is_there = |cell: &Cell| matches!(self.peers.get(cell.owner as usize), Some(Some(_)));
        self.rows.iter().filter(|(_, cell)| is_there(cell)).count()
    }

    /// Whether what was committed there is in it, or of another life of the log.
    pub(crate) fn shows(&self, position: Position) -> bool {
        self.position.covers(position) || self.position.epoch != position.epoch
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.position.epoch
    }

    /// Where a row is among the rows.
    #[inline]
    pub(crate) fn at(&self, row: RowId) -> usize {
        self.shape.at(row)
    }

    pub(crate) fn row_at(&self, at: usize) -> RowId {
        let replicas = self.shape.replicas.max(1) as usize;
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        RowId {
            shard: number(at / replicas),
            replica: number(at % replicas),
        }
    }

    #[inline]
    pub(crate) fn cell(&self, row: RowId) -> Option<&Cell> {
        if row.replica >= self.shape.replicas {
            return None;
        }
        self.rows.get(self.at(row))
    }

    #[inline]
    pub(crate) fn owner(&self, row: RowId) -> Option<Owner> {
        let cell = self.cell(row)?;
        let member = self.peers.get(cell.owner as usize)?.as_ref()?;
        Some(Owner {
            member: Arc::clone(member),
            token: Token::new(self.position.epoch, cell.row.term),
            phase: cell.row.phase,
        })
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_struct("Table", 5)?;
        table.serialize_field("position", &self.position)?;
        table.serialize_field("shape", &self.shape)?;
        table.serialize_field("planner", &self.planner())?;
        let members = self.members.values();
        let members = members.map(|peer| (peer.incarnation().to_string(), peer.member()));
        table.serialize_field("members", &members.collect::<BTreeMap<_, _>>())?;
        let rows = self.rows.iter();
        let rows = rows.map(|(at, cell)| (Key(self.row_at(at)).to_string(), &*cell.row));
        table.serialize_field("rows", &rows.collect::<BTreeMap<_, _>>())?;
        table.end()
    }
}

/// A row as people call it: `00042`, or `00042/1`.
struct Key(RowId);

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RowId { shard, replica } = self.0;
        match replica {
            0 => write!(f, "{shard:05}"),
            replica => write!(f, "{shard:05}/{replica}"),
        }
    }
}
