//! A seat: the place where work on one row comes in, and out, while this process owns it.
//!
//! Never asks the log or a clock: whoever closes it has.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use crate::recipes::shards::pass::Pass;
use crate::recipes::shards::tenure::Tenure;

/// Where work on one row comes in. Closed, it lets nobody in any more; whoever is inside may stay until he leaves.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pass: ArcSwapOption<Pass>,
    /// Of former tenures, as long as somebody may be inside.
    former: Mutex<Vec<Weak<Pass>>>,
    /// The last one has let a pass go.
    left: Arc<Notify>,
}

impl Seat {
    /// Comes in: whoever keeps the pass is inside.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Arc<Pass>> {
        self.pass.load_full()
    }

    pub(crate) fn open(&self, tenure: Arc<Tenure>) {
        let pass = Arc::new(Pass::new(tenure, &self.left));
        self.leave_behind(self.pass.swap(Some(pass)));
    }

    pub(crate) fn close(&self) {
        self.leave_behind(self.pass.swap(None));
    }

    /// Nobody gets this any more: once the seat has let it go, only those inside keep it.
    fn leave_behind(&self, pass: Option<Arc<Pass>>) {
        if let Some(pass) = pass {
            let mut former = self.former();
            former.retain(|former| former.strong_count() > 0);
            former.push(Arc::downgrade(&pass));
        }
    }

    fn former(&self) -> MutexGuard<'_, Vec<Weak<Pass>>> {
        self.former.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody is inside of what is closed: of no tenure, whatever ended it.
    pub(crate) async fn emptied(&self) {
        loop {
            // Hears of whoever leaves after the look.
            let left = self.left.notified();
            if self.former().iter().all(|pass| pass.strong_count() == 0) {
                // What was done inside is seen by what comes after: the count alone does not say so.
                fence(Ordering::Acquire);
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
    async fn who_is_inside_is_waited_for_also_of_a_former_tenure() {
        let seat = Seat::default();
        assert!(seat.enter().is_none());
        let mut inside = Vec::new();
        for _ in 0..2 {
            seat.open(tenure().await);
            inside.push(seat.enter().unwrap());
            inside.push(seat.enter().unwrap());
            seat.close();
            assert!(seat.enter().is_none());
        }
        let emptied = seat.emptied();
        tokio::pin!(emptied);
        for pass in inside.into_iter().rev() {
            assert!(futures::poll!(&mut emptied).is_pending());
            drop(pass);
        }
        emptied.await;
    }

    /// Whoever opens it without having closed it has closed it.
    #[tokio::test(start_paused = true)]
    async fn one_tenure_has_it_at_a_time() {
        let seat = Seat::default();
        seat.open(tenure().await);
        let first = seat.enter().unwrap();
        seat.open(tenure().await);
        let second = seat.enter().unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        let emptied = seat.emptied();
        tokio::pin!(emptied);
        assert!(futures::poll!(&mut emptied).is_pending());
        drop(first);
        emptied.await;
    }
}
