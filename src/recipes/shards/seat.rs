//! A seat: the place where work on one row comes in, and out, while this process owns it.
//!
//! Never asks the log or a clock: whoever closes it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use crate::recipes::shards::tenure::Tenure;

/// It may be entered. Below it the number of those inside.
const OPEN: u64 = 1 << 63;

/// Where work on one row comes in. Closed, it lets nobody in any more; whoever is inside may stay until he leaves.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    gate: AtomicU64,
    left: Notify,
    tenure: ArcSwapOption<Tenure>,
}

impl Seat {
    /// Comes in; whoever does must leave.
    pub(crate) fn enter(&self) -> Option<Arc<Tenure>> {
        let before = self.gate.fetch_add(1, Ordering::AcqRel);
        let tenure = match before & OPEN {
            0 => None,
            _ => self.tenure.load_full(),
        };
        if tenure.is_none() {
            self.leave();
        }
        tenure
    }

    pub(crate) fn leave(&self) {
        if self.gate.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.left.notify_waiters();
        }
    }

    pub(crate) fn open(&self, tenure: Arc<Tenure>) {
        self.tenure.store(Some(tenure));
        self.gate.fetch_or(OPEN, Ordering::AcqRel);
    }

    pub(crate) fn close(&self) {
        self.gate.fetch_and(!OPEN, Ordering::AcqRel);
        self.tenure.store(None);
    }

    /// Waits until nobody is inside of what is closed.
    pub(crate) async fn emptied(&self) {
        loop {
            // Hears of whoever leaves after the look.
            let left = self.left.notified();
            if self.gate.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::shards::tenure::tests::tenure;

    #[tokio::test(start_paused = true)]
    async fn who_is_inside_is_waited_for_and_nobody_comes_after() {
        let seat = Seat::default();
        assert!(seat.enter().is_none());
        seat.open(tenure());
        assert!(seat.enter().is_some());
        seat.close();
        assert!(seat.enter().is_none());
        let emptied = seat.emptied();
        tokio::pin!(emptied);
        assert!(futures::poll!(&mut emptied).is_pending());
        seat.leave();
        emptied.await;
    }
}
