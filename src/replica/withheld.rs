//! What is withheld of a map, for those who ask and those who wait; and whether somebody has accepted it.
//!
//! Never decides what is withheld, and keeps none of it.

use std::fmt;
use std::time::Duration;

use globe_log_client::Position;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use crate::ground::careful::carefully;
use crate::ground::sync::{Mutex, Notify, lock};

/// What the [guard](crate::Builder::guard) of a map withholds: [`Status::withheld`](crate::Status::withheld). The map shows what
/// was there before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Withheld {
    /// Up to where the log was followed: there the map will stand when it is accepted.
    #[serde(serialize_with = "as_text")]
    pub position: Position,
    /// How many of the entries that are shown would be gone. Those that were deleted through this map are not counted.
    pub gone: usize,
    /// How many entries there would be.
    pub entries: usize,
    /// Whether the log is in another epoch than what is shown: it was restored, wiped or replaced.
    pub is_new_epoch: bool,
    /// How long it is withheld by now.
    #[serde(rename = "held_for_seconds", serialize_with = "in_seconds")]
    pub held_for: Duration,
}

fn as_text<S: Serializer>(what: &Position, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(what)
}

fn in_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_secs_f64().serialize(serializer)
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = match self.is_new_epoch {
            true => " of another epoch",
            false => "",
        };
        write!(
            f,
            "a step to {}{life} is withheld, which would take {} entries away and leave {}",
            self.position, self.gone, self.entries
        )
    }
}

/// What is withheld now, as the applier knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) since: Instant,
    pub(crate) position: Position,
    pub(crate) gone: usize,
    pub(crate) entries: usize,
    pub(crate) is_new_epoch: bool,
}

impl Holding {
    fn told(&self, now: Instant) -> Withheld {
        Withheld {
            position: self.position,
            gone: self.gone,
            entries: self.entries,
            is_new_epoch: self.is_new_epoch,
            held_for: now.duration_since(self.since),
        }
    }
}

/// What is withheld of one replica, written by its applier and read by anybody.
pub(crate) struct Withholding {
    place: Mutex<Place>,
    moved: Notify,
}

#[derive(Default)]
struct Place {
    holding: Option<Holding>,
    is_accepted: bool,
    /// How often something was begun to be withheld.
    count: u64,
}

impl Place {
    fn seen(&self) -> Seen {
        Seen(self.holding.map(|_| self.count))
    }
}

/// The number of what is withheld, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(Option<u64>);

impl Withholding {
    pub(crate) fn new() -> Withholding {
        Withholding {
            place: Mutex::new(Place::default()),
            moved: Notify::new(),
        }
    }

    /// This is withheld now.
    pub(crate) fn hold(&self, holding: Holding) {
        let mut place = lock(&self.place);
        if place.holding.replace(holding).is_none() {
            place.count += 1;
            place.is_accepted = false;
        }
        drop(place);
        self.moved.notify_waiters();
    }

    /// Nothing is withheld any more.
    pub(crate) fn end(&self) {
        let was_held = lock(&self.place).holding.take().is_some();
        if was_held {
            self.moved.notify_waiters();
        }
    }

    /// What is withheld.
    pub(crate) fn told(&self) -> Option<Withheld> {
        self.look().1
    }

    /// Up to where the log was followed, if that is not shown.
    pub(crate) fn position(&self) -> Option<Position> {
        lock(&self.place).holding.map(|holding| holding.position)
    }

    /// What is withheld, and what tells it from what was before.
    pub(crate) fn look(&self) -> (Seen, Option<Withheld>) {
        let place = lock(&self.place);
        let (seen, holding) = (place.seen(), place.holding);
        drop(place);
        (seen, holding.map(|holding| holding.told(Instant::now())))
    }

    /// Accepts what is withheld; false when nothing is.
    pub(crate) fn accept(&self) -> bool {
        let mut place = lock(&self.place);
        place.is_accepted = place.holding.is_some();
        let is_accepted = place.is_accepted;
        drop(place);
        self.moved.notify_waiters();
        is_accepted
    }

    pub(crate) fn is_accepted(&self) -> bool {
        lock(&self.place).is_accepted
    }

    /// Waits until somebody has accepted what is withheld.
    pub(crate) async fn accepted(&self) {
        self.until(|place| place.is_accepted).await;
    }

    /// Waits until it is otherwise than it was seen.
    pub(crate) async fn other_than(&self, seen: Seen) {
        self.until(|place| place.seen() != seen).await;
    }

    async fn until(&self, there: impl Fn(&Place) -> bool) {
        loop {
            // Made before looking: a move in between wakes it.
            let moved = self.moved.notified();
            if there(&lock(&self.place)) {
                return;
            }
            carefully(moved).await;
        }
    }
}
