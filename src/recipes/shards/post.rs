//! A post: what one membership of this process has of the table's seats.
//!
//! Never two at a time for one handle of a table: whoever would join as well is refused.

use std::sync::Arc;

use crate::recipes::shards::seat::Seat;
use crate::recipes::shards::seats::Seats;

/// Of one membership: the seats it opens and closes.
#[derive(Debug)]
pub(crate) struct Post {
    seats: Arc<Seats>,
}

impl Post {
    pub(crate) fn new(seats: &Arc<Seats>) -> Post {
        let seats = Arc::clone(seats);
        Post { seats }
    }

    /// The seat of a row.
    pub(crate) fn seat(&self, at: usize) -> Arc<Seat> {
        self.seats.seat(at)
    }
}
