//! All the seats of a table in this process, where work comes in: one for each row that was ever owned here.
//!
//! Never moves one that is there, so that a look at it takes no lock and counts nothing.

use std::sync::{Arc, OnceLock};

use crate::recipes::shards::seat::Seat;

/// How many rows have their places in the first floor; each further one has twice as many.
const GROUND: usize = 256;

/// More than there can be rows.
const FLOORS: usize = usize::BITS as usize;

/// Places, and the seats that are there by now.
type Floor = Box<[OnceLock<Arc<Seat>>]>;

/// The seats of a table, by the place of their rows in it. Places are made a floor at a time, seats one by one.
#[derive(Debug)]
pub(crate) struct Seats {
    floors: [OnceLock<Floor>; FLOORS],
}

impl Seats {
    pub(crate) fn new() -> Seats {
        let floors = [const { OnceLock::new() }; FLOORS];
        Seats { floors }
    }

    /// The seat of a row, if it was ever owned here.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&Arc<Seat>> {
        let (floor, place) = place(at);
        self.floors.get(floor)?.get()?.get(place)?.get()
    }

    /// The seat of a row, from now on.
    pub(crate) fn seat(&self, at: usize) -> Arc<Seat> {
        let (floor, place) = place(at);
        let floor = self.floors.get(floor).map(|places| {
            places.get_or_init(|| (0..GROUND << floor).map(|_| OnceLock::new()).collect())
        });
        let place = floor.and_then(|places| places.get(place));
        place.map_or_else(Arc::default, |place| {
            Arc::clone(place.get_or_init(Arc::default))
        })
    }
}

/// The floor of a row, and its place there.
fn place(at: usize) -> (usize, usize) {
    let floor = (at / GROUND + 1).ilog2() as usize;
    (floor, at - GROUND * ((1 << floor) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_place_of_its_own() {
        let mut next = (0, 0);
        for at in 0..100_000 {
            assert_eq!(place(at), next, "{at}");
            next = match next {
                (floor, last) if last + 1 == GROUND << floor => (floor + 1, 0),
                (floor, place) => (floor, place + 1),
            };
        }
        let most = 1_000_000 * 16;
        assert!(place(most).1 < GROUND << place(most).0);
    }

    #[test]
    fn a_seat_is_the_same_for_ever_and_none_is_there_before() {
        let seats = Seats::new();
        for at in [0, 255, 256, 767, 768, 15_999_999] {
            assert!(seats.get(at).is_none(), "{at}");
            let seat = seats.seat(at);
            assert!(Arc::ptr_eq(&seat, &seats.seat(at)), "{at}");
            assert!(
                seats.get(at).is_some_and(|same| Arc::ptr_eq(&seat, same)),
                "{at}"
            );
        }
        assert!(seats.get(1).is_none());
    }
}
