//! A post: all the seats of one member in this process, where work comes in.
//!
//! Never opens one: the worker's task does, and closes it.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::recipes::shards::owned::ShardGuard;
use crate::recipes::shards::seat::Seat;

/// The seats of one member, by the place of their rows in the table.
#[derive(Debug, Default)]
pub(crate) struct Post {
    seats: ArcSwap<Vec<Arc<Seat>>>,
}

impl Post {
    /// Comes in, if the row is owned here and may be served now.
    pub(crate) fn enter(&self, at: usize) -> Option<ShardGuard> {
        let seats = self.seats.load();
        ShardGuard::enter(seats.get(at)?)
    }

    /// The seat of a row. Only the worker's task asks, so that no two make one.
    pub(crate) fn seat(&self, at: usize) -> Arc<Seat> {
        let seats = self.seats.load();
        if let Some(seat) = seats.get(at) {
            return Arc::clone(seat);
        }
        let mut more = (**seats).clone();
        let wanted = (at + 1).next_power_of_two();
        more.resize_with(wanted, Arc::default);
        let seat = more.get(at).cloned().unwrap_or_default();
        self.seats.store(Arc::new(more));
        seat
    }
}
