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
    use crate::recipes::shards::membership::Membership;
    use crate::recipes::shards::record::RowId;
    use crate::recipes::shards::row::Mode;
    use crate::recipes::shards::shard_member::ShardMember;
    use crate::{Globe, MemoryLog, Session, Token};

    async fn tenure() -> Arc<Tenure> {
        let log = MemoryLog::new();
        let map = Globe::open(log.clone(), "table").await.unwrap();
        let session = Session::open(log).await.unwrap();
        let member = ShardMember::new("a");
        let membership = Membership::enrol(&map, &session, "a", &member)
            .await
            .unwrap();
        let (shard, replica) = (0, 0);
        let token = Token::new(map.view().position().epoch, 1);
        let row = RowId { shard, replica };
        Tenure::new(&map, &Arc::new(membership), row, token, Mode::Strict, false)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_inside_is_waited_for_and_nobody_comes_after() {
        let seat = Seat::default();
        assert!(seat.enter().is_none());
        seat.open(tenure().await);
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
