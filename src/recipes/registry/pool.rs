//! Members that are alike in where they are, and how one of them is drawn.
//!
//! Never blocks, and never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::recipes::registry::alias::Alias;
use crate::recipes::registry::pick::Pick;
use crate::recipes::registry::roster::Listed;

/// How often is drawn anew before it is looked for: at most half are set aside, so that this is rarely too few.
const DRAWS: usize = 8;

pub(crate) struct Pool<T> {
    members: Vec<Arc<Listed<T>>>,
    alias: Option<Alias>,
}

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        let (members, alias) = (Vec::new(), None);
        Pool { members, alias }
    }
}

impl<T> Pool<T> {
    pub(crate) fn new(members: Vec<Arc<Listed<T>>>, pick: Pick) -> Pool<T> {
        let weights = members.iter().map(|listed| listed.member.weight);
        let alias = (pick == Pick::Weighted).then(|| Alias::new(weights));
        Pool { members, alias }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One that is not set aside.
    pub(crate) fn draw(&self, pick: Pick, turn: &AtomicUsize) -> Option<&Arc<Listed<T>>> {
        match pick {
            Pick::RoundRobin => self.first_from(turn.fetch_add(1, Ordering::Relaxed)),
            Pick::TwoChoices => {
                let one = self.at_random()?;
                let is_other = |other: &&Arc<Listed<T>>| !Arc::ptr_eq(one, other);
                let mut others = (0..DRAWS).filter_map(|_| self.at_random());
                // Of few members the same may be drawn again and again.
                let other = others.find(is_other).or_else(|| self.first_of(is_other));
                Some(other.filter(|other| is_busier(one, other)).unwrap_or(one))
            }
            _ => self.at_random(),
        }
    }

    /// Anyone, set aside or not.
    pub(crate) fn any(&self) -> Option<&Arc<Listed<T>>> {
        self.members.get(self.random())
    }

    fn random(&self) -> usize {
        match &self.alias {
            Some(alias) => alias.draw(fastrand::u64(..)),
            None => fastrand::usize(..self.members.len().max(1)),
        }
    }

    fn at_random(&self) -> Option<&Arc<Listed<T>>> {
        for _ in 0..DRAWS {
            let listed = self.members.get(self.random())?;
            if !listed.load.is_aside() {
                return Some(listed);
            }
        }
        self.first_from(fastrand::usize(..))
    }

    /// The first of these that is not set aside.
    fn first_of(
        &self,
        mut is_meant: impl FnMut(&&Arc<Listed<T>>) -> bool,
    ) -> Option<&Arc<Listed<T>>> {
        let mut all = self.members.iter();
        all.find(|listed| !listed.load.is_aside() && is_meant(listed))
    }

    /// The first from here on that is not set aside.
    fn first_from(&self, start: usize) -> Option<&Arc<Listed<T>>> {
        let start = start.checked_rem(self.members.len())?;
        let (before, after) = self.members.split_at(start);
        let mut all = after.iter().chain(before);
        all.find(|listed| !listed.load.is_aside())
    }
}

/// Whether the first has more under way than the second, each for its weight.
fn is_busier<T>(one: &Listed<T>, other: &Listed<T>) -> bool {
    let scaled = |listed: &Listed<T>, by: &Listed<T>| {
        let under_way = u64::from(listed.load.in_flight()) + 1;
        under_way * u64::from(by.member.weight)
    };
    scaled(one, other) > scaled(other, one)
}
