//! Whom a row may be given to: who takes shards, has no other row of the same shard, and did not refuse it of late.
//!
//! Never gives a row to one that takes none, or refused it. Two rows of a shard it gives to one member only so that it has a first
//! owner.

use crate::recipes::shards::fleet::Fleet;
use crate::recipes::shards::planner::{Move, Situation};
use crate::recipes::shards::survey::{Spot, Standing, Survey};

/// For what somebody is wanted to have a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// Somebody has to have it.
    Anybody,
    /// The same, of those to whom fewer rows than this are coming.
    Slowly(u32),
    /// Of those, only one where it is further from the other rows of its shard.
    Apart(u32),
}

/// The members and the rows, and what is planned so far.
#[derive(Debug)]
pub(crate) struct Spread<'a> {
    situation: &'a Situation<'a>,
    pub(crate) fleet: Fleet<'a>,
    survey: Survey,
    pub(crate) moves: Vec<Move>,
}

impl<'a> Spread<'a> {
    pub(crate) fn new(
        situation: &'a Situation<'a>,
        fleet: Fleet<'a>,
        survey: Survey,
    ) -> Spread<'a> {
        Spread {
            situation,
            fleet,
            survey,
            moves: Vec::new(),
        }
    }

    pub(crate) fn spots(&self) -> &[Spot] {
        &self.survey.spots
    }

    pub(crate) fn spot(&self, row: usize) -> Option<&Spot> {
        self.survey.spots.get(row)
    }

    pub(crate) fn has_siblings(&self) -> bool {
        self.survey.has_siblings()
    }

    /// Plans that a row goes to a member, if there is one.
    pub(crate) fn give(&mut self, row: usize, to: Option<usize>) {
        let Some((spot, to)) = self.survey.spots.get_mut(row).zip(to) else {
            return;
        };
        let Some(seat) = self.fleet.seat(to) else {
            return;
        };
        let (id, incarnation) = (spot.id, seat.peer.incarnation().clone());
        self.moves
            .push(Move::new(id.shard, id.replica, incarnation));
        match spot.standing {
            Standing::Lost | Standing::Back(_) => spot.at = Some(to),
            _ => self.fleet.moves(spot.at, Some(to)),
        }
        self.fleet.shift(spot.counts, to, spot.weight);
        spot.counts = Some(to);
        spot.standing = Standing::Moving;
    }

    /// Whether a member may have a row.
    pub(crate) fn may_have(&self, row: usize, member: usize) -> bool {
        let Some(spot) = self.spot(row) else {
            return false;
        };
        let has = |other: &Spot| other.at == Some(member) || other.counts == Some(member);
        self.fleet.takes(member)
            && spot.at != Some(member)
            && !self.rests(spot, member)
            && !(self.has_siblings() && self.survey.siblings(row).any(has))
    }

    fn rests(&self, spot: &Spot, member: usize) -> bool {
        let refusers = self.situation.refusers(spot.id.shard, spot.id.replica);
        let peer = self.fleet.seat(member).map(|seat| seat.peer);
        peer.is_some_and(|peer| refusers.contains(peer.incarnation()))
    }

    /// The relatively emptiest member that may have a row: as far as possible from the others of its shard, and one that has less
    /// than its share.
    pub(crate) fn choose(&self, row: usize, wanted: Wanted) -> Option<usize> {
        let spot = self.spot(row)?;
        let (moving, crowd) = match wanted {
            Wanted::Anybody => (u32::MAX, usize::MAX),
            Wanted::Slowly(moving) => (moving, usize::MAX),
            Wanted::Apart(moving) => (moving, self.crowd(row, spot.at?)),
        };
        let mut best = None;
        for member in self.fleet.takers() {
            if !self.fleet.may_get(member, moving) || !self.may_have(row, member) {
                continue;
            }
            let price = (self.crowd(row, member), !self.fleet.has_room(member));
            if price == (0, false) && crowd > 0 {
                return Some(member);
            }
            if price.0 < crowd && best.is_none_or(|(known, _)| price < known) {
                best = Some((price, member));
            }
        }
        best.map(|(_, member)| member)
    }

    /// How many other rows of the same shard are in the zone of a member.
    fn crowd(&self, row: usize, member: usize) -> usize {
        if !self.has_siblings() {
            return 0;
        }
        let Some(zone) = self.fleet.zone(member) else {
            return 0;
        };
        let is_there =
            |spot: &&Spot| spot.counts.and_then(|other| self.fleet.zone(other)) == Some(zone);
        self.survey.siblings(row).filter(is_there).count()
    }

    /// The owner of another row of a shard who becomes its first owner, where that has none: what it serves is warm with it.
    pub(crate) fn warm(&self, row: usize) -> Option<usize> {
        self.beside(row, |other, at| other.pin != Some(at))
    }

    /// The same, where nobody else may have it: also one that is to keep what it has, and then has both.
    pub(crate) fn last_resort(&self, row: usize) -> Option<usize> {
        self.beside(row, |_, _| true)
    }

    /// The owner of another row of a shard that has no first owner, of those that may be taken for that.
    fn beside(&self, row: usize, may_be: impl Fn(&Spot, usize) -> bool) -> Option<usize> {
        let is_it = |spot: &&Spot| spot.id.replica == 0 && spot.standing == Standing::Lost;
        let spot = self.spot(row).filter(is_it)?;
        let siblings = self.survey.siblings(row).filter(|_| self.has_siblings());
        let mut owners = siblings.filter_map(|other| other.at.filter(|at| may_be(other, *at)));
        owners.find(|owner| self.fleet.takes(*owner) && !self.rests(spot, *owner))
    }

    /// Whether a row is where another of its shard is, or is pinned, that is before it.
    pub(crate) fn is_in_the_way(&self, row: usize) -> bool {
        let Some((spot, at)) = self.spot(row).and_then(|spot| Some((spot, spot.at?))) else {
            return false;
        };
        let rank = |spot: &Spot| (spot.pin != Some(at), spot.id.replica);
        let is_wanted = |other: &Spot| other.counts == Some(at) || other.pin == Some(at);
        let mut others = self.survey.siblings(row);
        others.any(|other| is_wanted(other) && rank(other) < rank(spot))
    }

    /// Whether a row is in one zone with another of its shard that is before it.
    pub(crate) fn is_second_in_zone(&self, row: usize) -> bool {
        let Some((spot, at)) = self.spot(row).and_then(|spot| Some((spot, spot.at?))) else {
            return false;
        };
        let Some(zone) = self.fleet.zone(at) else {
            return false;
        };
        let mut others = self.survey.siblings(row);
        others.any(|other| {
            let theirs = other.counts.and_then(|other| self.fleet.zone(other));
            other.id.replica < spot.id.replica && theirs == Some(zone)
        })
    }

    /// Plans one move away from a member, for balance: of the heaviest of `rows`, which are its own, the heaviest last. Those that
    /// nobody may have are taken out of `rows`. If it is not over its share, the move is to one that is under its own.
    pub(crate) fn lighten(
        &mut self,
        giver: usize,
        rows: &mut Vec<usize>,
        is_over: bool,
        tolerance: f64,
        moving: u32,
    ) -> bool {
        if !self.fleet.may_give(giver, moving) {
            return false;
        }
        let mut refused = None;
        while let Some(row) = rows.pop() {
            let Some(spot) = self
                .spot(row)
                .filter(|spot| spot.standing == Standing::Settled)
            else {
                continue;
            };
            // What is as heavy as what nobody could have fares no better.
            let (weight, id) = (spot.weight, spot.id);
            if refused == Some(weight) {
                continue;
            }
            let crowd = self.crowd(row, giver);
            let may_get = |member: &usize| {
                self.fleet.may_get(*member, moving)
                    && (is_over || self.fleet.is_under(*member, tolerance))
                    && self.fleet.is_better(giver, *member, weight)
                    && self.may_have(row, *member)
                    && self.crowd(row, *member) <= crowd
            };
            let to = self
                .fleet
                .takers()
                .filter(|member| *member != giver)
                .find(may_get);
            if to.is_some() {
                self.give(row, to);
                return true;
            }
            if !self.has_siblings() && self.situation.refusers(id.shard, id.replica).is_empty() {
                refused = Some(weight);
            }
        }
        false
    }
}
