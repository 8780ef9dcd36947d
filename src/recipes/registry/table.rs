//! What a picker looks at: those that can be picked, laid out for its way of picking.
//!
//! Never changes: the next one takes its place.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::recipes::registry::pick::Pick;
use crate::recipes::registry::pool::Pool;
use crate::recipes::registry::ring::Ring;
use crate::recipes::registry::roster::{Listed, Roster};
use crate::recipes::registry::zone::kept;

/// Of all that is listed at a number; see [`Listing`](super::listing::Listing).
pub(crate) struct Table<T> {
    pub(crate) number: u64,
    /// What it is laid of.
    pub(crate) roster: Option<Arc<Roster<T>>>,
    pub(crate) layout: Layout<T>,
}

pub(crate) enum Layout<T> {
    Zoned(Zoned<T>),
    Ring(Ring<T>),
}

impl<T> Table<T> {
    /// Whether it is laid of this very roster.
    pub(crate) fn is_of(&self, roster: Option<&Arc<Roster<T>>>) -> bool {
        match (&self.roster, roster) {
            (Some(own), Some(roster)) => Arc::ptr_eq(own, roster),
            (own, roster) => own.is_none() && roster.is_none(),
        }
    }

    /// Whether nothing is left to be found.
    pub(crate) fn is_settled(&self) -> bool {
        match &self.layout {
            Layout::Zoned(_) => true,
            Layout::Ring(ring) => ring.is_found(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match &self.layout {
            Layout::Zoned(zoned) => zoned.near.is_empty() && zoned.far.is_empty(),
            Layout::Ring(ring) => ring.is_empty(),
        }
    }
}

/// Who is in the picker's own zone, and who is elsewhere.
pub(crate) struct Zoned<T> {
    near: Pool<T>,
    far: Pool<T>,
    /// Which share of the picks stays in the own zone.
    kept: f64,
}

/// Whose turn it is, near and far.
#[derive(Debug)]
pub(crate) struct Turns {
    near: AtomicUsize,
    far: AtomicUsize,
}

impl Default for Turns {
    /// Anywhere: processes that begin together are not to ask the same member first.
    fn default() -> Turns {
        let start = fastrand::usize(..);
        Turns {
            near: AtomicUsize::new(start),
            far: AtomicUsize::new(start),
        }
    }
}

impl<T> Zoned<T> {
    pub(crate) fn new(members: Vec<Arc<Listed<T>>>, pick: Pick, zone: Option<&str>) -> Zoned<T> {
        let Some(zone) = zone else {
            return Zoned {
                near: Pool::new(members, pick),
                far: Pool::default(),
                kept: 1.0,
            };
        };
        let weight = |members: &[Arc<Listed<T>>]| {
            let weights = members.iter().map(|listed| u64::from(listed.member.weight));
            weights.sum::<u64>()
        };
        let zones = members.iter().map(|listed| listed.member.zone.as_deref());
        let zones: BTreeSet<Option<&str>> = zones.chain([Some(zone)]).collect();
        let (zones, total) = (zones.len(), weight(&members));
        let is_near = |listed: &Arc<Listed<T>>| listed.member.zone.as_deref() == Some(zone);
        let (near, far): (Vec<_>, Vec<_>) = members.into_iter().partition(is_near);
        let kept = kept(weight(&near), total, zones);
        Zoned {
            near: Pool::new(near, pick),
            far: Pool::new(far, pick),
            kept,
        }
    }

    /// One that is not set aside: of the zone that was drawn, or else of the other; anyone, if all are.
    pub(crate) fn draw(&self, pick: Pick, turns: &Turns) -> Option<&Arc<Listed<T>>> {
        let stays = self.kept >= 1.0 || fastrand::f64() < self.kept;
        let (near, far) = ((&self.near, &turns.near), (&self.far, &turns.far));
        let (first, second) = if stays { (near, far) } else { (far, near) };
        first
            .0
            .draw(pick, first.1)
            .or_else(|| second.0.draw(pick, second.1))
            .or_else(|| first.0.any())
            .or_else(|| second.0.any())
    }
}
