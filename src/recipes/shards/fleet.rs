//! The members of a table as its planner sees them: who takes shards, how much each has, and who is the emptiest.
//!
//! Never knows a row: it is told of each what it weighs.

use std::collections::{BTreeSet, HashMap};

use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::planner::Situation;
use crate::recipes::shards::shard_member::Peer;

/// One member that is there.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    pub(crate) peer: &'a Peer,
    /// Whether it takes shards.
    pub(crate) takes: bool,
    /// Its weight, which is never nothing.
    weight: u64,
    /// What its rows weigh, those that come to it with them.
    load: u64,
    /// How many rows are coming, and going.
    into: u32,
    out: u32,
}

/// All members that are there.
#[derive(Debug)]
pub(crate) struct Fleet<'a> {
    seats: Vec<Seat<'a>>,
    by_id: HashMap<&'a str, usize>,
    /// Those that take shards, the relatively emptiest first.
    order: BTreeSet<(u64, usize)>,
    /// What their rows should weigh, all together, and what they weigh themselves.
    total: u64,
    capacity: u64,
    /// Half of what a row weighs on average.
    half: f64,
}

impl<'a> Fleet<'a> {
    pub(crate) fn new(situation: &Situation<'a>) -> Fleet<'a> {
        let members = || situation.table().members();
        // Better somebody who comes and goes than nobody at all.
        let is_any = members().any(|member| situation.takes(member));
        let seat = |peer: &'a std::sync::Arc<Peer>| Seat {
            peer,
            takes: if is_any {
                situation.takes(peer)
            } else {
                peer.is_up()
            },
            weight: u64::from(peer.weight().max(1)),
            load: 0,
            into: 0,
            out: 0,
        };
        let seats: Vec<_> = members().map(seat).collect();
        let ids = seats.iter().enumerate();
        let by_id = ids.map(|(number, seat)| (seat.peer.id(), number)).collect();
        Fleet {
            seats,
            by_id,
            order: BTreeSet::new(),
            total: 0,
            capacity: 0,
            half: 0.5,
        }
    }

    /// Who this is, if this very life of it is there.
    pub(crate) fn find(&self, who: &Incarnation) -> Option<usize> {
        let number = self.find_id(who.id())?;
        (self.seats.get(number)?.peer.incarnation() == who).then_some(number)
    }

    pub(crate) fn find_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn seat(&self, number: usize) -> Option<&Seat<'a>> {
        self.seats.get(number)
    }

    pub(crate) fn takes(&self, number: usize) -> bool {
        self.seats.get(number).is_some_and(|seat| seat.takes)
    }

    pub(crate) fn is_draining(&self, number: usize) -> bool {
        self.seats
            .get(number)
            .is_some_and(|seat| !seat.peer.is_up())
    }

    pub(crate) fn zone(&self, number: usize) -> Option<&'a str> {
        self.seats.get(number)?.peer.zone()
    }

    /// Counts a row that is there, before anything is planned.
    pub(crate) fn count(&mut self, number: usize, weight: u64) {
        if let Some(seat) = self.seats.get_mut(number) {
            seat.load = seat.load.saturating_add(weight);
        }
    }

    /// Counts a row that moves.
    pub(crate) fn moves(&mut self, from: Option<usize>, to: Option<usize>) {
        if let Some(seat) = from.and_then(|from| self.seats.get_mut(from)) {
            seat.out = seat.out.saturating_add(1);
        }
        if let Some(seat) = to.and_then(|to| self.seats.get_mut(to)) {
            seat.into = seat.into.saturating_add(1);
        }
    }

    /// All rows are counted: so much do they weigh, and so many are they.
    pub(crate) fn begin(&mut self, weight: u64, rows: usize) {
        // What those have who are up and take nothing now stays with them.
        let stays = self
            .seats
            .iter()
            .filter(|seat| !seat.takes && seat.peer.is_up());
        let stays = stays.fold(0_u64, |sum, seat| sum.saturating_add(seat.load));
        self.total = weight.saturating_sub(stays);
        let takers = self.seats.iter().filter(|seat| seat.takes);
        self.capacity = takers.fold(0_u64, |sum, seat| sum.saturating_add(seat.weight));
        self.half = weight as f64 / rows.max(1) as f64 / 2.0;
        let takers = (0..self.seats.len()).filter(|number| self.takes(*number));
        self.order = takers
            .map(|number| (self.fullness(number), number))
            .collect();
    }

    /// Who takes shards, the relatively emptiest first.
    pub(crate) fn takers(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.order.iter().map(|(_, number)| *number)
    }

    /// Moves the weight of a row, from who has it, if anybody has.
    pub(crate) fn shift(&mut self, from: Option<usize>, to: usize, weight: u64) {
        if let Some(from) = from {
            self.set_load(from, |load| load.saturating_sub(weight));
        }
        self.set_load(to, |load| load.saturating_add(weight));
    }

    fn set_load(&mut self, number: usize, change: impl FnOnce(u64) -> u64) {
        let before = (self.fullness(number), number);
        if let Some(seat) = self.seats.get_mut(number) {
            seat.load = change(seat.load);
        }
        if self.order.remove(&before) {
            self.order.insert((self.fullness(number), number));
        }
    }

    /// How full a member would be with half a row more, as a number that sorts: without that half, members of small weight would
    /// come before all others while everybody is empty.
    fn fullness(&self, number: usize) -> u64 {
        let full = self.seats.get(number).map_or(0.0, |seat| {
            (seat.load as f64 + self.half) / seat.weight as f64
        });
        // Of numbers that are not negative the bits sort as they do.
        full.to_bits()
    }

    /// Whether another row may begin to leave, and to come.
    pub(crate) fn may_give(&self, number: usize, moving: u32) -> bool {
        self.seats.get(number).is_some_and(|seat| seat.out < moving)
    }

    pub(crate) fn may_get(&self, number: usize, moving: u32) -> bool {
        self.seats
            .get(number)
            .is_some_and(|seat| seat.into < moving)
    }

    /// Whether a member has less than its share.
    pub(crate) fn has_room(&self, number: usize) -> bool {
        let Some(seat) = self.seats.get(number) else {
            return false;
        };
        self.above(seat, seat.load) < 0
    }

    /// Whether it has more than its share and so much more, with this weight besides.
    pub(crate) fn is_over(&self, number: usize, tolerance: f64, besides: u64) -> bool {
        let Some(seat) = self.seats.get(number) else {
            return false;
        };
        seat.load.saturating_add(besides) as f64 > self.share(seat) * (1.0 + tolerance)
    }

    /// Whether it has less than its share, by more than so much of it.
    pub(crate) fn is_under(&self, number: usize, tolerance: f64) -> bool {
        let Some(seat) = self.seats.get(number) else {
            return false;
        };
        (seat.load as f64) < self.share(seat) * (1.0 - tolerance)
    }

    /// Whether less is above the shares of the two after a row has moved. In whole numbers, so that it never goes in circles.
    pub(crate) fn is_better(&self, from: usize, to: usize, weight: u64) -> bool {
        let (Some(from), Some(to)) = (self.seats.get(from), self.seats.get(to)) else {
            return false;
        };
        let above = |seat, load| self.above(seat, load).max(0);
        let before = above(from, from.load).saturating_add(above(to, to.load));
        let (left, more) = (
            from.load.saturating_sub(weight),
            to.load.saturating_add(weight),
        );
        above(from, left).saturating_add(above(to, more)) < before
    }

    fn share(&self, seat: &Seat<'_>) -> f64 {
        self.total as f64 * seat.weight as f64 / self.capacity.max(1) as f64
    }

    /// How far a load is above the share, in parts of which the capacity makes one whole.
    fn above(&self, seat: &Seat<'_>, load: u64) -> i128 {
        let whole = |number: u64| i128::from(number);
        let share = whole(self.total).saturating_mul(whole(seat.weight));
        whole(load)
            .saturating_mul(whole(self.capacity))
            .saturating_sub(share)
    }
}
