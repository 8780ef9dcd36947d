//! Where a replica stands, and waiting until it stands elsewhere.
//!
//! It wakes those who wait in the order in which they came, outside its lock, and never looks at what is published.

use globe_log_client::{Epoch, Error, Position, Result};

use crate::ground::careful::carefully;
use crate::ground::sync::{Mutex, Notify, lock};

/// How many lives of the log are remembered after their end.
const LIVES: usize = 1_000;

/// Where a replica stands, for those who wait.
pub(crate) struct Progress {
    standing: Mutex<Standing>,
    moved: Notify,
}

#[derive(Default)]
struct Standing {
    /// `None` before the first snapshot.
    position: Option<Position>,
    /// Counts what was published: a snapshot at the same position is something new as well.
    publications: u64,
    /// The lives of the log that were followed here, and ended.
    ended_lives: Vec<Epoch>,
    /// Why it will not move any more.
    ended: Option<Error>,
}

/// What there is to wait for at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Reached,
    NotYet,
    /// Its life of the log is over: it will never be reached.
    Over,
}

impl Standing {
    fn move_to(&mut self, position: Position) {
        let before = self.position.replace(position);
        self.publications += 1;
        let Some(before) = before.filter(|before| before.epoch != position.epoch) else {
            return;
        };
        self.ended_lives.retain(|epoch| *epoch != position.epoch);
        self.ended_lives.push(before.epoch);
        if self.ended_lives.len() > LIVES {
            self.ended_lives.remove(0);
        }
    }

    fn reach(&self, target: Position) -> Reach {
        if self.position.is_some_and(|here| here.covers(target)) {
            return Reach::Reached;
        }
        let is_over = self.ended_lives.contains(&target.epoch) && !mutant!("wait_for_a_past_life");
        if is_over { Reach::Over } else { Reach::NotYet }
    }
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress {
            standing: Mutex::new(Standing::default()),
            moved: Notify::new(),
        }
    }

    /// Where it stands; `None` before the first snapshot.
    pub(crate) fn position(&self) -> Option<Position> {
        lock(&self.standing).position
    }

    /// How often something was published.
    pub(crate) fn publications(&self) -> u64 {
        lock(&self.standing).publications
    }

    /// Why it will not move any more, if so.
    pub(crate) fn ended(&self) -> Option<Error> {
        lock(&self.standing).ended.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.standing).ended.is_some()
    }

    pub(crate) fn move_to(&self, position: Position) {
        lock(&self.standing).move_to(position);
        self.moved.notify_waiters();
    }

    /// Something else was decided that is waited for here, with [`Progress::until`].
    pub(crate) fn stir(&self) {
        self.moved.notify_waiters();
    }

    /// Says that it will not move any more. Only the first reason counts.
    pub(crate) fn end(&self, why: Error) {
        lock(&self.standing).ended.get_or_insert(why);
        self.moved.notify_waiters();
    }

    /// Waits until the first snapshot is there.
    pub(crate) async fn hydrated(&self) -> Result<()> {
        self.wait_until(|standing| standing.position.is_some())
            .await
    }

    /// Waits until something was published after so many publications.
    pub(crate) async fn published_since(&self, count: u64) -> Result<()> {
        self.wait_until(|standing| standing.publications > count)
            .await
    }

    /// Waits until a position is reached, or its life of the log is over.
    pub(crate) async fn reached(&self, target: Position) -> Result<Reach> {
        self.wait_until(|standing| standing.reach(target) != Reach::NotYet)
            .await?;
        Ok(lock(&self.standing).reach(target))
    }

    /// Waits until what is decided elsewhere is so, and looks whenever this stirs or moves; an error when it never will.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) -> Result<()> {
        self.wait_until(|_| is_so()).await
    }

    /// Waits until it stands where it should; an error when it never will.
    async fn wait_until(&self, there: impl Fn(&Standing) -> bool) -> Result<()> {
        loop {
            // Made before looking: a move in between wakes it.
            let moved = self.moved.notified();
            let end = {
                let standing = lock(&self.standing);
                if there(&standing) {
                    return Ok(());
                }
                standing.ended.clone()
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
    use globe_log_client::Revision;

    use super::*;

    #[test]
    fn a_position_of_a_life_that_is_over_is_never_waited_for() {
        let at = |epoch, revision| Position::new(Epoch::new(epoch), Revision(revision));
        let mut standing = Standing::default();
        assert_eq!(standing.reach(at(1, 1)), Reach::NotYet);
        standing.move_to(at(1, 5));
        assert_eq!(standing.reach(at(1, 5)), Reach::Reached);
        assert_eq!(standing.reach(at(1, 6)), Reach::NotYet);
        assert_eq!(standing.reach(at(2, 1)), Reach::NotYet, "it may be next");
        standing.move_to(at(2, 1));
        assert_eq!(standing.reach(at(1, 5)), Reach::Over);
        assert_eq!(standing.reach(at(3, 1)), Reach::NotYet);
        (3..3 + 2 * LIVES as u64).for_each(|epoch| standing.move_to(at(epoch, 1)));
        assert_eq!(standing.ended_lives.len(), LIVES, "bounded");
    }
}
