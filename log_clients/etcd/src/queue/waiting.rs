//! A commit that waits to be sent, and where it has come to.
//!
//! Never sends anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use globe_log_client::{Capabilities, Position, Result, Transaction};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::fence::joint::Joint;

/// A transaction that nobody has sent yet.
pub(crate) struct Waiting {
    pub(crate) transaction: Transaction,
    pub(crate) deadline: Instant,
    pub(crate) seat: Arc<Seat>,
    pub(crate) answer: oneshot::Sender<Answer>,
    /// Who sends it, or the group that it is the first of.
    pub(crate) sender: Arc<dyn Sender>,
}

/// A turn of those that are under way. Dropped, the next ones are sent.
pub(crate) type Turn = Box<dyn Send>;

/// What is told of one that has waited.
pub(crate) enum Answer {
    /// What became of it.
    Told(Result<Position>),
    /// Nothing of it was written: it is to be sent by itself, in this turn if in any.
    Alone(Option<Turn>),
}

/// What sends groups.
pub(crate) trait Sender: Send + Sync {
    /// How much a group may hold.
    fn capabilities(&self) -> Capabilities;

    /// Begins to send more than one, in this turn. Returns at once.
    fn send(self: Arc<Self>, group: Vec<Waiting>, turn: Turn);
}

impl Waiting {
    pub(crate) fn answer(self, answer: Answer) {
        // Who is gone wants none.
        let _ = self.answer.send(answer);
    }
}

/// Where a transaction has come to, which its caller and its sender have to agree on.
pub(crate) struct Seat(Mutex<Place>);

enum Place {
    Waiting,
    /// It is on its way together with others.
    Sent(Arc<Joint>),
    /// Its caller has gone: whatever was not sent of it is not sent any more.
    Left,
}

impl Seat {
    pub(crate) fn new() -> Seat {
        Seat(Mutex::new(Place::Waiting))
    }

    /// It is about to be sent. False when its caller has gone.
    pub(crate) fn send(&self, joint: &Arc<Joint>) -> bool {
        let mut place = self.place();
        if matches!(*place, Place::Left) {
            return false;
        }
        *place = Place::Sent(Arc::clone(joint));
        true
    }

    /// Whether its caller is still there.
    pub(crate) fn is_taken(&self) -> bool {
        !matches!(*self.place(), Place::Left)
    }

    /// Takes it back, if it was not sent; false when it was.
    pub(crate) fn take_back(&self) -> bool {
        let mut place = self.place();
        if matches!(*place, Place::Waiting) {
            *place = Place::Left;
        }
        matches!(*place, Place::Left)
    }

    /// Its caller goes.
    pub(crate) fn leave(&self) {
        if let Place::Sent(joint) = std::mem::replace(&mut *self.place(), Place::Left) {
            joint.give_up();
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Epoch, LeaseId};

    use super::*;
    use crate::fence::writer::Writer;
    use crate::settings::commit_settings::CommitSettings;

    #[test]
    fn only_what_is_not_on_its_way_can_be_taken_back() {
        let settings = CommitSettings::default().fence;
        let writer = Writer::new(LeaseId::new(1), Epoch::new(1), Instant::now(), settings);
        let writer = Arc::new(writer);
        let joint = || Arc::new(Joint::of(&writer));
        let [waiting, sent, left] = [(); 3].map(|()| Seat::new());
        assert!(waiting.take_back() && !waiting.send(&joint()));
        assert!(sent.send(&joint()) && !sent.take_back());
        left.leave();
        assert!(!left.is_taken() && !left.send(&joint()));
        assert!(!writer.is_open());
        // Who goes then gives up what others wait for as well.
        sent.leave();
        assert!(writer.is_open());
    }
}
