//! Commits that are held on their way, and the fence they cannot pass.
//!
//! Never lets one land after a later commit of the same client was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use globe_log_client::{LogClient, Transaction};
use tokio::sync::Mutex;

/// What keeps late commits out.
#[derive(Default)]
pub(crate) struct Fence {
    acknowledged: AtomicU64,
    /// One at a time: a late commit lands, or the fence is closed to it.
    gate: Mutex<()>,
}

impl Fence {
    /// Sends a commit later, unless another is acknowledged before. It is on its own now: nobody waits for it.
    pub(crate) fn hold(
        self: &Arc<Fence>,
        log: Arc<dyn LogClient>,
        transaction: Transaction,
        late: Duration,
    ) {
        let fence = Arc::clone(self);
        let held_at = self.acknowledged.load(Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            let _gate = fence.gate.lock().await;
            if fence.acknowledged.load(Ordering::SeqCst) == held_at {
                let _ = log.commit(transaction).await;
            }
        });
    }

    /// Before a commit is acknowledged: what was held until now will not land.
    pub(crate) async fn close(&self) {
        let _gate = self.gate.lock().await;
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}
