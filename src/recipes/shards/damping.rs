//! What a planner has to know of the past: how long memberships have been quiet, who comes and goes, what was refused, what takes
//! long.
//!
//! Never more than that: a planner that begins anew, with none of it, plans as well, only sooner.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::planner::Situation;
use crate::recipes::shards::record::RowId;
use crate::recipes::shards::row::{Row, Stage};
use crate::recipes::shards::table::Table;

/// So often may a member join in the window before it is kept from shards.
const JOINS: usize = 3;
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// The longest that it is kept from them.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// More joins in the window are not counted: they change nothing any more.
const COUNTED: usize = 16;
/// So many rests are remembered at most: those that end first are forgotten first.
const RESTS: usize = 10_000;
/// So many ids that are gone are remembered at most: those that joined least of late are forgotten first.
const IDS: usize = 10_000;

/// The past, as far as it matters. It is shown one table after another, each with the moment at which it was seen.
#[derive(Debug)]
pub(crate) struct Damping {
    settle: Duration,
    prepare_timeout: Duration,
    /// When a member came, went or began to drain, or stopped doing so.
    stirred: Option<Instant>,
    joins: BTreeMap<String, VecDeque<Instant>>,
    /// Until when a row does not go to a member.
    resting: HashMap<(RowId, Incarnation), Instant>,
    /// The rows that move, and since when.
    moving: HashMap<RowId, Moving>,
    last: Option<Table>,
}

#[derive(Clone, Debug, PartialEq)]
struct Moving {
    owner: Incarnation,
    term: u64,
    /// Whom it goes to, while that one prepares.
    next: Option<Incarnation>,
    since: Instant,
}

impl Damping {
    pub(crate) fn new(settle: Duration, prepare_timeout: Duration) -> Damping {
        Damping {
            settle,
            prepare_timeout,
            stirred: None,
            joins: BTreeMap::new(),
            resting: HashMap::new(),
            moving: HashMap::new(),
            last: None,
        }
    }

    /// Sees a table. The first is as if all its members had just joined. Costs the rows that changed.
    pub(crate) fn see(&mut self, table: &Table, now: Instant) {
        // In another life of the log the rows are others, whatever they say.
        let last = self
            .last
            .take()
            .filter(|last| last.epoch() == table.epoch() && last.shape == table.shape);
        if last.is_none() {
            self.moving.clear();
            self.resting.clear();
        }
        self.see_members(last.as_ref(), table, now);
        let changed: Vec<RowId> = match &last {
            Some(last) => {
                let changed = table.rows.changed(&last.rows).into_iter();
                changed.map(|at| table.row_at(at)).collect()
            }
            None => table
                .rows()
                .map(|(shard, replica, _)| RowId { shard, replica })
                .collect(),
        };
        for row in changed {
            self.see_row(table, row, now);
        }
        self.forget(table, now);
        self.last = Some(table.clone());
    }

    fn see_members(&mut self, last: Option<&Table>, table: &Table, now: Instant) {
        let known = |id: &str| last.and_then(|last| last.member(id));
        let mut is_stirred = self.stirred.is_none();
        for member in table.members() {
            let before = known(member.id());
            let is_new = before.is_none_or(|before| before.incarnation() != member.incarnation());
            is_stirred |= is_new || before.is_some_and(|before| before.state() != member.state());
            if is_new {
                let joins = self.joins.entry(member.id().to_owned()).or_default();
                joins.push_back(now);
                if joins.len() > COUNTED {
                    joins.pop_front();
                }
            }
        }
        let gone = |last: &Table| {
            last.members()
                .any(|member| table.member(member.id()).is_none())
        };
        is_stirred |= last.is_some_and(gone);
        if is_stirred {
            self.stirred = Some(now);
        }
    }

    fn see_row(&mut self, table: &Table, id: RowId, now: Instant) {
        let row = table.cell(id).map(|cell| &*cell.row);
        let before = self.moving.remove(&id);
        if let Some(row) = row
            && let Some(refuser) = before.as_ref().and_then(|before| before.refused(row))
            && table.is_live(refuser)
        {
            self.resting.insert((id, refuser.clone()), now);
        }
        if let Some(moving) = row.and_then(|row| Moving::new(row, now)) {
            // Whoever waits may be another one meanwhile, for who stops it is the same.
            let since = before
                .filter(|before| before.is_as(&moving))
                .map_or(now, |before| before.since);
            self.moving.insert(id, Moving { since, ..moving });
        }
    }

    /// Forgets what is over, and what would be too much.
    fn forget(&mut self, table: &Table, now: Instant) {
        let settle = self.settle;
        self.resting.retain(|(_, member), since| {
            now.saturating_duration_since(*since) < settle && table.is_live(member)
        });
        if self.resting.len() > RESTS {
            let mut rests: Vec<_> = self.resting.drain().collect();
            rests
                .sort_unstable_by(|(one, since), (other, later)| (later, other).cmp(&(since, one)));
            self.resting.extend(rests.into_iter().take(RESTS));
        }
        let is_recent = |joined: &Instant| now.saturating_duration_since(*joined) < WINDOW;
        self.joins.retain(|_, joins| {
            joins.retain(is_recent);
            !joins.is_empty()
        });
        let most = IDS.max(2 * table.members.len());
        if self.joins.len() > most {
            self.joins
                .retain(|id, joins| joins.len() > 1 || table.member(id).is_some());
        }
        if self.joins.len() > most {
            self.joins.retain(|id, _| table.member(id).is_some());
        }
    }

    /// What a planner looks at. The table is the one that was seen last.
    pub(crate) fn situation<'a>(&self, table: &'a Table, now: Instant) -> Situation<'a> {
        let mut situation = Situation::new(table).settled(self.is_settled(now));
        for id in self.joins.keys().filter(|id| self.flaps(id, now)) {
            situation = situation.kept_from(id.as_str());
        }
        for ((row, member), since) in &self.resting {
            if now.saturating_duration_since(*since) < self.settle {
                situation = situation.resting(row.shard, row.replica, member.clone());
            }
        }
        situation
    }

    /// Whether no member has come, gone or begun to drain of late.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        let quiet = self
            .stirred
            .map(|stirred| now.saturating_duration_since(stirred));
        quiet.is_some_and(|quiet| quiet >= self.settle)
    }

    /// Whether a member comes and goes too often to be given anything now.
    pub(crate) fn flaps(&self, id: &str, now: Instant) -> bool {
        let kept = self.joins.get(id).and_then(|joins| self.kept(joins));
        kept.is_some_and(|(since, time)| now.saturating_duration_since(since) < time)
    }

    /// Since when a member is kept from shards, and for how long: twice as long each time.
    fn kept(&self, joins: &VecDeque<Instant>) -> Option<(Instant, Duration)> {
        let last = *joins.back()?;
        let more = joins.len().checked_sub(JOINS + 1)?;
        let times = 1_u32.checked_shl(u32::try_from(more).ok()?)?;
        Some((last, self.settle.saturating_mul(times).min(LONGEST)))
    }

    /// Whether a row has been prepared for too long.
    pub(crate) fn is_overdue(&self, id: RowId, row: &Row, now: Instant) -> bool {
        let moving = self.moving.get(&id).filter(|moving| moving.is_of(row));
        moving.is_some_and(|moving| moving.next.is_some() && self.is_long(moving, now))
    }

    /// How many rows have been in one phase for longer than a member may take to prepare: an alarm, for no drain is forced.
    pub(crate) fn stuck(&self, now: Instant) -> usize {
        self.moving
            .values()
            .filter(|moving| self.is_long(moving, now))
            .count()
    }

    fn is_long(&self, moving: &Moving, now: Instant) -> bool {
        now.saturating_duration_since(moving.since) >= self.prepare_timeout
    }

    /// When something of this is over next, without another table: then it is time to plan again.
    pub(crate) fn wake(&self, now: Instant) -> Option<Instant> {
        let quiet = self
            .stirred
            .and_then(|stirred| stirred.checked_add(self.settle));
        let kept = self.joins.values().filter_map(|joins| self.kept(joins));
        let kept = kept.filter_map(|(since, time)| since.checked_add(time));
        let rests = self
            .resting
            .values()
            .filter_map(|since| since.checked_add(self.settle));
        let moves = self
            .moving
            .values()
            .filter_map(|moving| moving.since.checked_add(self.prepare_timeout));
        let moments = quiet.into_iter().chain(kept).chain(rests).chain(moves);
        moments.filter(|moment| *moment > now).min()
    }
}

impl Moving {
    fn new(row: &Row, since: Instant) -> Option<Moving> {
        let next = match row.stage() {
            Stage::Settled => return None,
            Stage::Prepare(next) => Some(next.clone()),
            Stage::Drain(_) | Stage::Leaving(_) => None,
        };
        Some(Moving {
            owner: row.owner.clone(),
            term: row.term,
            next,
            since,
        })
    }

    fn is_of(&self, row: &Row) -> bool {
        self.owner == row.owner && self.term == row.term
    }

    /// Whether it is the same phase of the same move.
    fn is_as(&self, other: &Moving) -> bool {
        self.owner == other.owner && self.term == other.term && self.next == other.next
    }

    /// Who did not prepare what he was to, if the row is settled again as it was.
    fn refused(&self, row: &Row) -> Option<&Incarnation> {
        let is_settled = row.stage() == Stage::Settled;
        self.next.as_ref().filter(|_| is_settled && self.is_of(row))
    }
}

#[cfg(test)]
mod tests;
