//! The table in the making: what the log says, put where it is looked up.
//!
//! Never skips what it cannot read in silence: such a record is a problem of the table, and what stood there before counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::record::{Place, Record, RowId, SHAPE, Shape, place};
use crate::recipes::shards::row::Row;
use crate::recipes::shards::shard_member::Peer;
use crate::recipes::shards::table::{Cell, Rows, Table};
use crate::{Entry, Position, View};

/// How many lives that nobody needs are kept at least.
const SPARE: usize = 64;

/// A table that follows the log.
#[derive(Debug)]
pub(crate) struct Draft {
    table: Table,
    numbers: HashMap<Incarnation, u32>,
    /// How many numbers are too many.
    bound: usize,
}

impl Draft {
    /// The table a view shows; `shape` is what it is, if the log does not say.
    pub(crate) fn new(view: &View<String, Record>, shape: Shape) -> Draft {
        let shape = match view.get(SHAPE).as_deref() {
            Some(Record::Shape(shape)) => *shape,
            _ => shape,
        };
        let table = Table {
            position: view.position(),
            shape,
            rows: Rows::default(),
            peers: Arc::default(),
            members: Arc::default(),
            ranges: Arc::default(),
            drained: Arc::default(),
            is_to_be_rebalanced: false,
            candidates: Arc::default(),
        };
        let numbers = HashMap::new();
        let mut draft = Draft {
            table,
            numbers,
            bound: SPARE,
        };
        for (key, entry) in view.iter() {
            draft.put(key, None, Some(entry));
        }
        draft.end(view.position());
        draft
    }

    /// The table as it stands.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Takes one change. A table whose shape changes has to be made anew: then it is false.
    #[must_use]
    pub(crate) fn change(
        &mut self,
        key: &str,
        old: Option<&Entry<Record>>,
        new: Option<&Entry<Record>>,
    ) -> bool {
        if place(key) == Some(Place::Shape) {
            return false;
        }
        self.put(key, old, new);
        true
    }

    /// All changes of one step are taken: it shows this position.
    pub(crate) fn end(&mut self, position: Position) {
        self.table.position = position;
        if self.table.shape.slots.is_none() && self.table.ranges.is_empty() {
            // The first range is there before anybody owns it.
            self.table.ranges = Arc::new(vec![(String::new(), 0)]);
        }
        if self.table.peers.len() > self.bound {
            self.renumber();
            self.bound = 2 * self.table.peers.len() + SPARE;
        }
    }

    fn put(&mut self, key: &str, old: Option<&Entry<Record>>, new: Option<&Entry<Record>>) {
        match place(key) {
            Some(Place::Member(id)) => self.put_member(id, new),
            Some(Place::Candidate) => self.put_candidate(key, old, new),
            Some(Place::Row(row)) => self.put_row(row, new),
            Some(Place::Drained(id)) => self.put_drained(id, new.is_some()),
            Some(Place::Rebalance) => self.table.is_to_be_rebalanced = new.is_some(),
            Some(Place::Shape) | None => {}
        }
    }

    fn put_member(&mut self, id: &str, new: Option<&Entry<Record>>) {
        let peer = match new.map(|entry| (&**entry.value(), entry)) {
            Some((Record::Member(member), entry)) => {
                let incarnation = Incarnation::new(id, entry.created().revision().0);
                Some(Peer::new(incarnation, member.clone().with_id(id)))
            }
            _ => None,
        };
        self.put_peer(id, peer);
    }

    fn put_drained(&mut self, id: &str, is_drained: bool) {
        let drained = Arc::make_mut(&mut self.table.drained);
        match is_drained {
            true => drained.insert(id.to_owned()),
            false => drained.remove(id),
        };
        let peer = self.table.members.get(id).map(|peer| (**peer).clone());
        self.put_peer(id, peer);
    }

    fn put_peer(&mut self, id: &str, peer: Option<Peer>) {
        let members = Arc::make_mut(&mut self.table.members);
        let peers = Arc::make_mut(&mut self.table.peers);
        let number = |incarnation: &Incarnation| self.numbers.get(incarnation).copied();
        if let Some(old) = members.remove(id) {
            let place = number(old.incarnation()).and_then(|number| peers.get_mut(number as usize));
            if let Some(place) = place {
                *place = None;
            }
        }
        let Some(peer) = peer else {
            return;
        };
        let is_drained = self.table.drained.contains(id);
        let peer = Arc::new(peer.drained(is_drained));
        let incarnation = peer.incarnation().clone();
        members.insert(id.to_owned(), Arc::clone(&peer));
        let number = self.number(&incarnation);
        let peers = Arc::make_mut(&mut self.table.peers);
        if let Some(place) = peers.get_mut(number as usize) {
            *place = Some(peer);
        }
    }

    fn put_candidate(
        &mut self,
        key: &str,
        old: Option<&Entry<Record>>,
        new: Option<&Entry<Record>>,
    ) {
        let candidates = Arc::make_mut(&mut self.table.candidates);
        let place = |entry: &Entry<Record>| (entry.created().revision(), key.to_owned());
        if let Some(old) = old {
            candidates.remove(&place(old));
        }
        if let Some((Record::Candidate { by }, new)) = new.map(|entry| (&**entry.value(), entry)) {
            candidates.insert(place(new), by.clone());
        }
    }

    fn put_row(&mut self, row: RowId, new: Option<&Entry<Record>>) {
        let shape = self.table.shape;
        let is_in =
            row.replica < shape.replicas && shape.slots.is_none_or(|slots| row.shard < slots);
        if !is_in {
            return;
        }
        let new = match new.map(|entry| &**entry.value()) {
            Some(Record::Row(row)) => Some(Arc::new(row.clone())),
            _ => None,
        };
        if shape.slots.is_none() && row.replica == 0 {
            self.put_range(row.shard, new.as_deref());
        }
        let at = self.table.at(row);
        let cell = new.map(|row| Cell {
            owner: self.number(&row.owner),
            row,
        });
        self.table.rows.set(at, cell);
    }

    fn put_range(&mut self, shard: u32, row: Option<&Row>) {
        let from = row.map(|row| row.from.clone().unwrap_or_default());
        let known = self.table.ranges.iter().find(|(_, known)| *known == shard);
        if known.map(|(from, _)| from) == from.as_ref() {
            return;
        }
        let ranges = Arc::make_mut(&mut self.table.ranges);
        ranges.retain(|(_, known)| *known != shard);
        ranges.extend(from.map(|from| (from, shard)));
        ranges.sort_unstable();
    }

    /// The number of a life of a member, whether it is there or not.
    fn number(&mut self, incarnation: &Incarnation) -> u32 {
        if let Some(number) = self.numbers.get(incarnation) {
            return *number;
        }
        let peers = Arc::make_mut(&mut self.table.peers);
        let number = u32::try_from(peers.len()).unwrap_or(u32::MAX);
        let member = self.table.members.get(incarnation.id());
        peers.push(
            member
                .filter(|peer| peer.incarnation() == incarnation)
                .cloned(),
        );
        self.numbers.insert(incarnation.clone(), number);
        number
    }

    /// Throws away the numbers of those who are gone and own nothing.
    fn renumber(&mut self) {
        let rows: Vec<(u32, u32, Arc<Row>)> = self
            .table
            .rows()
            .map(|(shard, replica, row)| (shard, replica, Arc::clone(row)))
            .collect();
        self.numbers.clear();
        self.table.peers = Arc::default();
        let members: BTreeMap<_, _> = (*self.table.members).clone();
        for peer in members.values() {
            self.number(peer.incarnation());
        }
        for (shard, replica, row) in rows {
            let at = self.table.at(RowId { shard, replica });
            let owner = self.number(&row.owner);
            self.table.rows.set(at, Some(Cell { row, owner }));
        }
    }
}
