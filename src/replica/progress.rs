//! Where a replica stands, whether something is known to be missing there, and waiting until that is otherwise.
//!
//! It wakes those who wait in the order in which they came, outside its lock, and never looks at what is published.

use globe_log_client::{Epoch, Error, Position, Result};

use crate::ground::careful::carefully;
use crate::ground::sync::{Mutex, Notify, lock};

/// So many lives of the log that are over are remembered.
const PAST_EPOCHS: usize = 1_000;

/// Where a replica stands, for those who wait.
pub(crate) struct Progress {
    place: Mutex<Place>,
    /// Rung for whoever waits for a place. Who waits for a doubt has a bell of his own: it is rung less often.
    moved: Notify,
    doubted: Notify,
}

#[derive(Default)]
struct Place {
    /// `None` before the first snapshot.
    position: Option<Position>,
    /// Counts what was published: a snapshot at the same position is something new as well.
    publications: u64,
    /// The lives of the log that were followed here and are over.
    past_epochs: Vec<Epoch>,
    /// How often an answer of the log showed that something was never delivered here.
    doubts: u64,
    /// How many of these doubts a snapshot has settled.
    settled: u64,
    /// Why it will not move any more.
    end: Option<Error>,
}

/// What there is to wait for at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Reached,
    NotYet,
    /// Its life of the log is over: it will never be reached.
    Over,
}

impl Place {
    fn move_to(&mut self, position: Position) {
        let before = self.position.replace(position);
        self.publications += 1;
        let Some(before) = before.filter(|before| before.epoch != position.epoch) else {
            return;
        };
        self.past_epochs.retain(|epoch| *epoch != position.epoch);
        self.past_epochs.push(before.epoch);
        if self.past_epochs.len() > PAST_EPOCHS {
            self.past_epochs.remove(0);
        }
    }

    fn reach(&self, target: Position) -> Reach {
        if self.position.is_some_and(|here| here.covers(target)) {
            return Reach::Reached;
        }
        let is_over = self.past_epochs.contains(&target.epoch);
        if is_over { Reach::Over } else { Reach::NotYet }
    }

    fn is_doubted(&self) -> bool {
        self.settled < self.doubts
    }
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress {
            place: Mutex::new(Place::default()),
            moved: Notify::new(),
            doubted: Notify::new(),
        }
    }

    /// Where it stands; `None` before the first snapshot.
    pub(crate) fn position(&self) -> Option<Position> {
        lock(&self.place).position
    }

    /// How often something was published.
    pub(crate) fn publications(&self) -> u64 {
        lock(&self.place).publications
    }

    /// Why it will not move any more, if so.
    pub(crate) fn ended(&self) -> Option<Error> {
        lock(&self.place).end.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.place).end.is_some()
    }

    pub(crate) fn move_to(&self, position: Position) {
        lock(&self.place).move_to(position);
        self.moved.notify_waiters();
    }

    /// An answer of the log showed that something is missing here: only a snapshot that is begun after this settles it.
    pub(crate) fn doubt(&self) {
        lock(&self.place).doubts += 1;
        self.doubted.notify_waiters();
    }

    /// How many doubts there were so far: asked before a snapshot is begun.
    pub(crate) fn doubts(&self) -> u64 {
        lock(&self.place).doubts
    }

    /// A snapshot that was begun after so many doubts is shown.
    pub(crate) fn settle(&self, doubts: u64) {
        let mut place = lock(&self.place);
        place.settled = place.settled.max(doubts);
        drop(place);
        self.doubted.notify_waiters();
    }

    /// Whether there is a doubt that no snapshot has settled.
    pub(crate) fn is_doubted(&self) -> bool {
        lock(&self.place).is_doubted()
    }

    /// Says that it will not move any more. Only the first reason counts.
    pub(crate) fn end(&self, why: Error) {
        lock(&self.place).end.get_or_insert(why);
        self.moved.notify_waiters();
        self.doubted.notify_waiters();
    }

    /// Waits until the first snapshot is there.
    pub(crate) async fn hydrated(&self) -> Result<()> {
        self.wait_until(&self.moved, |place| place.position.is_some())
            .await
    }

    /// Waits until something was published after so many publications.
    pub(crate) async fn published_since(&self, count: u64) -> Result<()> {
        self.wait_until(&self.moved, |place| place.publications > count)
            .await
    }

    /// Waits until a position is reached, or its life of the log is over.
    pub(crate) async fn reached(&self, target: Position) -> Result<Reach> {
        self.wait_until(&self.moved, |place| place.reach(target) != Reach::NotYet)
            .await?;
        Ok(lock(&self.place).reach(target))
    }

    /// Waits until there is a doubt that no snapshot has settled.
    pub(crate) async fn doubted(&self) -> Result<()> {
        self.wait_until(&self.doubted, Place::is_doubted).await
    }

    /// Waits until there is none.
    pub(crate) async fn undoubted(&self) -> Result<()> {
        self.wait_until(&self.doubted, |place| !place.is_doubted())
            .await
    }

    /// Waits until it stands where it should; an error when it never will. The bell is the one that is rung for that.
    async fn wait_until(&self, bell: &Notify, there: impl Fn(&Place) -> bool) -> Result<()> {
        loop {
            // Made before looking: a move in between wakes it.
            let moved = bell.notified();
            let end = {
                let place = lock(&self.place);
                if there(&place) {
                    return Ok(());
                }
                place.end.clone()
            };
            if let Some(end) = end {
                return Err(end);
            }
            carefully(moved).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use globe_log_client::Revision;
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_position_of_a_life_that_is_over_is_never_waited_for() {
        let at = |epoch, revision| Position::new(Epoch::new(epoch), Revision(revision));
        let mut place = Place::default();
        assert_eq!(place.reach(at(1, 1)), Reach::NotYet);
        place.move_to(at(1, 5));
        assert_eq!(place.reach(at(1, 5)), Reach::Reached);
        assert_eq!(place.reach(at(1, 6)), Reach::NotYet);
        assert_eq!(place.reach(at(2, 1)), Reach::NotYet, "it may be next");
        place.move_to(at(2, 1));
        assert_eq!(place.reach(at(1, 5)), Reach::Over);
        assert_eq!(place.reach(at(3, 1)), Reach::NotYet);
        (3..3 + 2 * PAST_EPOCHS as u64).for_each(|epoch| place.move_to(at(epoch, 1)));
        assert_eq!(place.past_epochs.len(), PAST_EPOCHS, "bounded");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_mending_is_woken_by_it() {
        let progress = Progress::new();
        progress.doubt();
        let mended = timeout(Duration::from_secs(60), progress.undoubted());
        let (mended, ()) = tokio::join!(biased; mended, async {
            progress.settle(progress.doubts());
        });
        assert!(mended.is_ok_and(|mended| mended.is_ok()), "nobody woke it");
    }

    #[test]
    fn a_doubt_is_settled_only_by_what_began_after_it() {
        let progress = Progress::new();
        progress.doubt();
        let before_the_snapshot = progress.doubts();
        progress.doubt();
        progress.settle(before_the_snapshot);
        assert!(progress.is_doubted(), "one came after it was begun");
        progress.settle(progress.doubts());
        assert!(!progress.is_doubted());
        progress.settle(before_the_snapshot);
        assert!(
            !progress.is_doubted(),
            "an older snapshot takes nothing back"
        );
    }
}
