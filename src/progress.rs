//! Where a replica stands, and waiting until it stands elsewhere.
//!
//! It wakes those who wait in the order in which they came, and never looks at what is published.

use globe_log_client::{Error, Position, Result};

use crate::sync::{Mutex, Notify, lock};

/// Where a replica stands, for those who wait.
pub(crate) struct Progress {
    standing: Mutex<Standing>,
    moved: Notify,
}

struct Standing {
    /// `None` before the first snapshot.
    position: Option<Position>,
    /// Why it will not move any more.
    ended: Option<Error>,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress {
            standing: Mutex::new(Standing {
                position: None,
                ended: None,
            }),
            moved: Notify::new(),
        }
    }

    /// Where it stands; `None` before the first snapshot.
    pub(crate) fn position(&self) -> Option<Position> {
        lock(&self.standing).position
    }

    /// Why it will not move any more, if so.
    pub(crate) fn ended(&self) -> Option<Error> {
        lock(&self.standing).ended.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.standing).ended.is_some()
    }

    pub(crate) fn move_to(&self, position: Position) {
        lock(&self.standing).position = Some(position);
        self.moved.notify_waiters();
    }

    /// Says that it will not move any more. Only the first reason counts.
    pub(crate) fn end(&self, why: Error) {
        lock(&self.standing).ended.get_or_insert(why);
        self.moved.notify_waiters();
    }

    /// Waits until it stands where it should; an error when it never will.
    pub(crate) async fn wait_until(&self, there: impl Fn(Option<Position>) -> bool) -> Result<()> {
        loop {
            // Made before looking: a move in between wakes it.
            let moved = self.moved.notified();
            if there(self.position()) {
                return Ok(());
            }
            // A last look, because the end may have come right after the move that was waited for.
            if let Some(end) = self.ended() {
                return if there(self.position()) {
                    Ok(())
                } else {
                    Err(end)
                };
            }
            moved.await;
        }
    }
}
