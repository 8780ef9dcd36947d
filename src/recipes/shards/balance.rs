//! The planner a table has if nobody gives it another: each member gets its share, by as few moves as that takes.
//!
//! Never moves a shard twice in one plan, and none for balance while members come and go.

use std::cmp::Reverse;

use crate::recipes::shards::fleet::Fleet;
use crate::recipes::shards::planner::{Move, Planner, Situation};
use crate::recipes::shards::spread::{Spread, Wanted};
use crate::recipes::shards::survey::{Standing, Survey};
use crate::{Error, ErrorKind, Result};

/// Gives each member its share: of what all shards weigh, as much as it weighs among those that are up. In this order:
///
/// 1. **What nobody serves**: to the member it is pinned to; a first owner's to the next owner of the same shard, who has it warm;
///    to the life that came after its dead owner's, as far as the share of that goes; else to the emptiest. And of two owners of
///    a shard that are one member since, the second moves elsewhere.
/// 2. **What drains, and what is not where it is pinned**, at most [`moving`](Balance::moving) rows of a member at a time.
/// 3. **What is not in balance**, once memberships are settled, as slowly: what is above a share by more than the
///    [`tolerance`](Balance::tolerance), and what the fullest have to give to those that are below theirs by as much.
///
/// The heaviest go first, each to the relatively emptiest member that may have it. Owners of one shard are not given to one
/// member, nor to one zone where there is another. A pin is followed but where two owners of a shard would come together. A shard
/// comes before its copies: where nobody else is left to be its first owner, one that has another row of it becomes that.
/// The plan is the same on every machine. It costs a look at each row, and for each move some steps that grow with the
/// logarithm of the members: some milliseconds for 10,000 shards.
#[derive(Clone, Debug)]
pub struct Balance {
    tolerance: f64,
    moving: u32,
}

impl Default for Balance {
    fn default() -> Balance {
        Balance {
            tolerance: 0.05,
            moving: 16,
        }
    }
}

impl Balance {
    /// How far a member may be above or below its share before shards move for it: 0 to 1. (0.05.)
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Balance {
        Balance { tolerance, ..self }
    }

    /// How many rows may be coming to a member, and how many may be leaving it, at the same time, in moves that can wait: 1 or more. (16.)
    #[must_use]
    pub fn moving(self, moving: u32) -> Balance {
        Balance { moving, ..self }
    }

    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Invalid, why));
        if !(0.0..=1.0).contains(&self.tolerance) {
            let tolerance = self.tolerance;
            return refuse(format!("a tolerance of {tolerance}: 0 to 1 is allowed"));
        }
        if self.moving == 0 {
            return refuse("no row may move at a time: 1 or more are allowed".to_owned());
        }
        Ok(())
    }
}

impl Planner for Balance {
    fn plan(&self, situation: &Situation<'_>) -> Vec<Move> {
        let mut fleet = Fleet::new(situation);
        let survey = Survey::new(situation, &mut fleet);
        let mut plan = Plan {
            spread: Spread::new(situation, fleet, survey),
            tolerance: self.tolerance,
            moving: self.moving,
        };
        plan.rescue();
        plan.part();
        plan.vacate();
        if situation.is_settled() {
            plan.separate();
            plan.level();
        }
        plan.spread.moves
    }
}

/// A plan in the making.
struct Plan<'a> {
    spread: Spread<'a>,
    tolerance: f64,
    moving: u32,
}

impl Plan<'_> {
    /// The rows of which this is so, the heaviest first.
    fn rows(&self, which: impl Fn(&Self, usize) -> bool) -> Vec<usize> {
        let spots = self.spread.spots();
        let mut rows: Vec<usize> = (0..spots.len()).filter(|row| which(self, *row)).collect();
        rows.sort_by_key(|row| Reverse(spots.get(*row).map_or(0, |spot| spot.weight)));
        rows
    }

    fn stands(&self, row: usize, standing: Standing) -> bool {
        self.spread
            .spot(row)
            .is_some_and(|spot| spot.standing == standing)
    }

    /// What nobody serves, and what waits for one that is dead.
    fn rescue(&mut self) {
        let is_lost = |plan: &Self, row| {
            let standing = plan.spread.spot(row).map(|spot| spot.standing);
            matches!(
                standing,
                Some(Standing::Lost | Standing::Back(_) | Standing::Waiting)
            )
        };
        let lost = self.rows(is_lost);
        // Whom somebody is before all others gets his first, so that his share is not taken by what is anybody's.
        let (theirs, anybodys): (Vec<_>, Vec<_>) = lost
            .into_iter()
            .map(|row| (row, self.whose(row)))
            .partition(|(_, whose)| whose.is_some());
        for (row, _) in theirs {
            // Once more: what was given since counts.
            let to = self.whose(row).or_else(|| self.somebody(row));
            self.spread.give(row, to);
        }
        for (row, _) in anybodys {
            let to = self.somebody(row);
            self.spread.give(row, to);
        }
    }

    /// The emptiest; or one that has another row of the shard, since without a first owner nobody would serve it.
    fn somebody(&self, row: usize) -> Option<usize> {
        let emptiest = self.emptiest(row);
        emptiest.or_else(|| self.spread.last_resort(row))
    }

    fn emptiest(&self, row: usize) -> Option<usize> {
        self.spread.choose(row, Wanted::Anybody)
    }

    /// Who is before all others to have a row that nobody serves.
    fn whose(&self, row: usize) -> Option<usize> {
        let spot = self.spread.spot(row)?;
        if let Standing::Back(prev) = spot.standing {
            return Some(prev);
        }
        let may_have = |member: &usize| self.spread.may_have(row, *member);
        let pin = spot.pin.filter(may_have);
        let warm = || self.spread.warm(row);
        let has_room = |member: &usize| {
            let fleet = &self.spread.fleet;
            !fleet.is_over(*member, self.tolerance, spot.weight)
        };
        let successor = || spot.successor.filter(may_have).filter(has_room);
        pin.or_else(warm).or_else(successor)
    }

    /// Owners of one shard that are one member: at once, for there is a copy less than there should be.
    fn part(&mut self) {
        if !self.spread.has_siblings() {
            return;
        }
        let is_second = |plan: &Self, row| {
            plan.stands(row, Standing::Settled) && plan.spread.is_in_the_way(row)
        };
        for row in self.rows(is_second) {
            // Who parts first may be all that had to.
            if self.spread.is_in_the_way(row) {
                let to = self.emptiest(row);
                self.spread.give(row, to);
            }
        }
    }

    /// What is with a member that drains, or not where it is pinned.
    fn vacate(&mut self) {
        let is_misplaced = |plan: &Self, row| {
            let Some(spot) = plan.spread.spot(row) else {
                return false;
            };
            let is_leaving = spot.at.is_some_and(|at| plan.spread.fleet.is_draining(at));
            let is_elsewhere = spot.pin.is_some() && spot.pin != spot.at;
            spot.standing == Standing::Settled && (is_leaving || is_elsewhere)
        };
        for row in self.rows(is_misplaced) {
            let Some(spot) = self.spread.spot(row) else {
                continue;
            };
            let Some(at) = spot
                .at
                .filter(|at| self.spread.fleet.may_give(*at, self.moving))
            else {
                continue;
            };
            let is_leaving = self.spread.fleet.is_draining(at);
            let pin = spot.pin.filter(|pin| self.spread.may_have(row, *pin));
            let to = match pin {
                Some(pin) => Some(pin).filter(|pin| self.spread.fleet.may_get(*pin, self.moving)),
                None if is_leaving => self.spread.choose(row, Wanted::Slowly(self.moving)),
                None => None,
            };
            self.spread.give(row, to);
        }
    }

    /// Owners of one shard in one zone, where there is another.
    fn separate(&mut self) {
        if !self.spread.has_siblings() {
            return;
        }
        let is_beside =
            |plan: &Self, row| plan.may_level(row) && plan.spread.is_second_in_zone(row);
        for row in self.rows(is_beside) {
            let at = self.spread.spot(row).and_then(|spot| spot.at);
            let may_go = at.is_some_and(|at| self.spread.fleet.may_give(at, self.moving));
            if may_go && self.spread.is_second_in_zone(row) {
                let to = self.spread.choose(row, Wanted::Apart(self.moving));
                self.spread.give(row, to);
            }
        }
    }

    /// Whether a row may be moved for balance.
    fn may_level(&self, row: usize) -> bool {
        self.spread.spot(row).is_some_and(|spot| {
            let is_pinned = spot.pin.is_some() && spot.pin == spot.at;
            let is_with_a_taker = spot.at.is_some_and(|at| self.spread.fleet.takes(at));
            spot.standing == Standing::Settled && is_with_a_taker && !is_pinned
        })
    }

    /// What is above a share, and what the fullest give to those that are below theirs.
    fn level(&mut self) {
        let members = self.spread.fleet.takers().max().map_or(0, |last| last + 1);
        let mut givable: Vec<Vec<usize>> = vec![Vec::new(); members];
        // The heaviest last, where they are taken from.
        for row in self.rows(Self::may_level).into_iter().rev() {
            let at = self.spread.spot(row).and_then(|spot| spot.at);
            if let Some(rows) = at.and_then(|at| givable.get_mut(at)) {
                rows.push(row);
            }
        }
        let mut is_giver = vec![true; members];
        loop {
            let fleet = &self.spread.fleet;
            let gives = |member: &usize| is_giver.get(*member) == Some(&true);
            let Some(giver) = fleet.takers().rev().find(gives) else {
                return;
            };
            let is_over = fleet.is_over(giver, self.tolerance, 0);
            let is_wanted = is_over || self.is_any_under(giver);
            let rows = givable.get_mut(giver).filter(|_| is_wanted);
            let (spread, tolerance, moving) = (&mut self.spread, self.tolerance, self.moving);
            let given =
                rows.is_some_and(|rows| spread.lighten(giver, rows, is_over, tolerance, moving));
            if !given && let Some(is_giver) = is_giver.get_mut(giver) {
                *is_giver = false;
            }
        }
    }

    /// Whether somebody else has too little, and may get more now.
    fn is_any_under(&self, giver: usize) -> bool {
        let fleet = &self.spread.fleet;
        fleet.takers().any(|member| {
            let may_get = member != giver && fleet.may_get(member, self.moving);
            may_get && fleet.is_under(member, self.tolerance)
        })
    }
}

#[cfg(test)]
mod tests;
