//! A pass: what all work shares that came in to one tenure, for as long as it is inside.
//!
//! Never counted by hand: whoever is inside keeps it, and when nobody does any more it is dropped.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::recipes::shards::tenure::Tenure;

/// Kept by the seat while that is open, and by each who is inside.
#[derive(Debug)]
pub(crate) struct Pass {
    tenure: Arc<Tenure>,
    left: Arc<Notify>,
}

impl Pass {
    /// For a tenure; `left` is told when the last who keeps it has let it go.
    pub(crate) fn new(tenure: Arc<Tenure>, left: &Arc<Notify>) -> Pass {
        let left = Arc::clone(left);
        Pass { tenure, left }
    }

    #[inline]
    pub(crate) fn tenure(&self) -> &Tenure {
        &self.tenure
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.left.notify_waiters();
    }
}
