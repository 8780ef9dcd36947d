//! Which numbers a transaction reads.
//!
//! Nobody ever waits for a number: whoever draws the same one finds out at the commit.

/// How many are read.
pub(crate) const READS: usize = 5;

/// How many there are where there are conflicts.
const HOT: usize = 10;

/// Whose they are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbers {
    /// Each worker has five for itself alone.
    Own,
    /// All draw from the same ten.
    Hot,
}

impl Numbers {
    pub(crate) fn name(self) -> String {
        match self {
            Numbers::Own => "without conflicts".to_owned(),
            Numbers::Hot => format!("all from {HOT} keys"),
        }
    }

    /// Those of the next transaction of a worker. It writes the first.
    pub(crate) fn draw(self, worker: usize) -> Vec<String> {
        match self {
            Numbers::Own => {
                let mut places = Vec::from_iter(0..READS);
                fastrand::shuffle(&mut places);
                let name = |place: usize| format!("own/{worker:02}/{place}");
                places.into_iter().map(name).collect()
            }
            Numbers::Hot => {
                let drawn = fastrand::choose_multiple(0..HOT, READS);
                let mut drawn = Vec::from_iter(drawn);
                fastrand::shuffle(&mut drawn);
                drawn
                    .into_iter()
                    .map(|place| format!("hot/{place}"))
                    .collect()
            }
        }
    }

    /// All that so many workers may draw.
    pub(crate) fn all(workers: usize) -> impl Iterator<Item = String> {
        let own = (0..workers).flat_map(|worker| Numbers::Own.draw(worker));
        own.chain((0..HOT).map(|place| format!("hot/{place}")))
    }
}
