//! A commit that several callers wait for: given up as soon as one of them has gone.
//!
//! Never talks to a server: whoever sent it settles it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::fence::writer::Writer;

/// Why it is needed: the commit of one caller who goes is dropped with him, and its slot is closed before anything else is
/// committed. One that others wait for is not, and landed after a later commit of the same process had been acknowledged.
/// So it counts as left open from that moment on, and is settled at once, for them as well.
pub(crate) struct Joint {
    writer: Arc<Writer>,
    course: Mutex<Course>,
    given_up: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    UnderWay,
    GivenUp,
    /// What became of it is known, or left to who closes its slot.
    Over,
}

impl Joint {
    /// One that is about to be sent with a slot of this writer.
    pub(crate) fn of(writer: &Arc<Writer>) -> Joint {
        Joint {
            writer: Arc::clone(writer),
            course: Mutex::new(Course::UnderWay),
            given_up: Notify::new(),
        }
    }

    /// One of those who wait for it has gone. From when this returns, nothing is committed before it is over.
    pub(crate) fn give_up(&self) {
        let mut course = self.course();
        if *course == Course::UnderWay {
            *course = Course::GivenUp;
            self.writer.give_up();
            self.given_up.notify_one();
        }
    }

    /// Waits until one has gone.
    pub(crate) async fn given_up(&self) {
        self.given_up.notified().await;
    }

    /// Its slot is sure again, or was put back unsure.
    pub(crate) fn end(&self) {
        let before = std::mem::replace(&mut *self.course(), Course::Over);
        if before == Course::GivenUp {
            self.writer.settle_one();
        }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
