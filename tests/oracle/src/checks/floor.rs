//! What may never be seen again: a sweep over time, in O(n log n).
//!
//! It knows nothing of who looked, or why.

use super::timeline::Moment;

/// From this tick on, nothing older than `moment` may be seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raise {
    pub(crate) tick: u64,
    pub(crate) moment: Moment,
}

/// Something that began at `tick` and can have seen no more than `moment`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<T> {
    pub(crate) tick: u64,
    pub(crate) moment: Moment,
    pub(crate) what: T,
}

/// The looks that saw less than the floor that stood when they began, and the floor.
pub(crate) fn below<T>(mut raises: Vec<Raise>, mut looks: Vec<Look<T>>) -> Vec<(Look<T>, Moment)> {
    raises.sort_by_key(|raise| raise.tick);
    looks.sort_by_key(|look| look.tick);
    let mut raises = raises.into_iter().peekable();
    let mut floor = None;
    let mut below = Vec::new();
    for look in looks {
        while let Some(raise) = raises.next_if(|raise| raise.tick < look.tick) {
            floor = floor.max(Some(raise.moment));
        }
        if let Some(floor) = floor
            && look.moment < floor
        {
            below.push((look, floor));
        }
    }
    below
}
