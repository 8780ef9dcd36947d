//! Who a key belongs to, as it is looked up.
//!
//! Never says otherwise before the buckets are found than after: they only make it quick.

use std::sync::Arc;

use crate::recipes::hash::hash;
use crate::recipes::registry::buckets::{bucket_of, price};
use crate::recipes::registry::roster::Listed;

pub(crate) struct Ring<T> {
    /// Each with the hash of its id.
    seats: Vec<Option<(u64, Arc<Listed<T>>)>>,
    /// The seats of the best and the second best of each bucket, once they are found.
    winners: Option<Vec<[u32; 2]>>,
}

impl<T> Default for Ring<T> {
    fn default() -> Ring<T> {
        let (seats, winners) = (Vec::new(), None);
        Ring { seats, winners }
    }
}

impl<T> Ring<T> {
    /// Of these members, before their buckets are found.
    pub(crate) fn new(members: impl IntoIterator<Item = Arc<Listed<T>>>) -> Ring<T> {
        let seats = members.into_iter().map(|listed| Some(seat(listed)));
        Ring {
            seats: seats.collect(),
            winners: None,
        }
    }

    /// Of these members at their seats, with their buckets.
    pub(crate) fn found(
        members: impl IntoIterator<Item = (usize, Arc<Listed<T>>)>,
        count: usize,
        winners: Vec<[u32; 2]>,
    ) -> Ring<T> {
        let mut seats: Vec<_> = (0..count).map(|_| None).collect();
        for (number, listed) in members {
            if let Some(place) = seats.get_mut(number) {
                *place = Some(seat(listed));
            }
        }
        let winners = Some(winners);
        Ring { seats, winners }
    }

    /// Whether it was made with its buckets.
    pub(crate) fn is_found(&self) -> bool {
        self.winners.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seats.iter().all(Option::is_none)
    }

    /// Whose the keys of this hash are: of those that are not set aside; of all, if all are.
    pub(crate) fn owner(&self, hash: u64) -> Option<&Arc<Listed<T>>> {
        let bucket = bucket_of(hash);
        let winners = self.winners.as_ref();
        let winners = winners.and_then(|winners| winners.get(bucket as usize));
        let best = winners.into_iter().flatten().map(|seat| {
            let seat = self.seats.get(*seat as usize)?.as_ref()?;
            Some(&seat.1)
        });
        let mut best = best.flatten();
        best.find(|listed| !listed.load.is_aside())
            .or_else(|| self.cheapest(bucket, |listed| !listed.load.is_aside()))
            .or_else(|| self.cheapest(bucket, |_| true))
    }

    fn cheapest(&self, bucket: u32, may: impl Fn(&Listed<T>) -> bool) -> Option<&Arc<Listed<T>>> {
        let seats = self
            .seats
            .iter()
            .flatten()
            .filter(|(_, listed)| may(listed));
        let priced =
            seats.map(|(hash, listed)| (price(*hash, listed.member.weight, bucket), listed));
        let cheapest = priced.min_by(|one, other| one.0.total_cmp(&other.0));
        cheapest.map(|(_, listed)| listed)
    }
}

fn seat<T>(listed: Arc<Listed<T>>) -> (u64, Arc<Listed<T>>) {
    (hash(listed.member.id.as_bytes()), listed)
}
