//! The table of a way of picking from a service, as it is renewed.
//!
//! Never makes a picker wait: it looks at whatever table is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::recipes::registry::buckets::Buckets;
use crate::recipes::registry::listing::Listing;
use crate::recipes::registry::pick::Pick;
use crate::recipes::registry::ring::Ring;
use crate::recipes::registry::roster::{Listed, Roster};
use crate::recipes::registry::table::{Layout, Table, Turns, Zoned};

/// All pickers of one way of picking from one service share it.
pub(crate) struct Slot<T> {
    pub(crate) service: String,
    pub(crate) pick: Pick,
    zone: Option<String>,
    table: ArcSwap<Table<T>>,
    /// Only the one who follows the map looks at it.
    buckets: Mutex<Buckets>,
    pub(crate) turns: Turns,
}

impl<T> Slot<T> {
    pub(crate) fn new(service: &str, pick: Pick, zone: Option<&str>) -> Slot<T> {
        let table = Table {
            number: 0,
            roster: None,
            layout: Layout::Ring(Ring::default()),
        };
        Slot {
            service: service.to_owned(),
            pick,
            zone: zone.map(str::to_owned),
            table: ArcSwap::from_pointee(table),
            buckets: Mutex::default(),
            turns: Turns::default(),
        }
    }

    pub(crate) fn table(&self) -> Guard<Arc<Table<T>>> {
        self.table.load()
    }

    /// Lays the table anew, if it is of something older. The one it replaces is handed back.
    pub(crate) fn lay(&self, listing: &Listing<T>) -> Option<Arc<Table<T>>> {
        let roster = listing.roster(&self.service);
        let now = self.table();
        if now.number >= listing.number || (now.number > 0 && now.is_of(roster)) {
            return None;
        }
        let members = candidates(roster);
        if let Some(roster) = roster {
            roster.ward.resize(members.len());
        }
        let layout = match self.pick {
            Pick::Hash => Layout::Ring(Ring::new(members)),
            pick => Layout::Zoned(Zoned::new(members, pick, self.zone.as_deref())),
        };
        Some(self.put(listing, layout))
    }

    /// Whoever comes later with an older one leaves it.
    fn put(&self, listing: &Listing<T>, layout: Layout<T>) -> Arc<Table<T>> {
        let table = Arc::new(Table {
            number: listing.number,
            roster: listing.roster(&self.service).cloned(),
            layout,
        });
        let rank = |table: &Table<T>| (table.number, table.is_settled());
        self.table.rcu(|now| {
            let newer = if rank(now) < rank(&table) {
                &table
            } else {
                now
            };
            Arc::clone(newer)
        })
    }

    /// Finds the buckets of a table that has none yet, in turns.
    pub(crate) async fn settle(&self, listing: &Listing<T>) {
        let roster = listing.roster(&self.service);
        let is_settled = {
            let now = self.table();
            now.is_settled() && now.is_of(roster)
        };
        if is_settled || self.pick != Pick::Hash {
            return;
        }
        let members = candidates(roster);
        let weights: BTreeMap<&str, u32> = members
            .iter()
            .map(|listed| (listed.member.id.as_str(), listed.member.weight))
            .collect();
        let mut buckets = std::mem::take(&mut *self.buckets());
        buckets.take(&weights).await;
        let seated = members.iter().filter_map(|listed| {
            let seat = buckets.seat_of(&listed.member.id)?;
            Some((seat, Arc::clone(listed)))
        });
        let ring = Ring::found(seated, buckets.seats(), buckets.winners());
        *self.buckets() = buckets;
        self.put(listing, Layout::Ring(ring));
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn candidates<T>(roster: Option<&Arc<Roster<T>>>) -> Vec<Arc<Listed<T>>> {
    roster.map_or_else(Vec::new, |roster| roster.candidates())
}
