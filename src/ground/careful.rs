//! Waiting with a waker of the caller's, which may be anything: one that panics does so alone.
//!
//! It never hides a wake: every one is passed on.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

/// Keeps a panic of the caller's waker from whoever wakes: the applier, which has others to wake after it.
struct Careful(Waker);

impl Wake for Careful {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The panic was told of where it happened, by the hook of the process.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.wake_by_ref()));
    }
}

/// Waits for what the map's own tasks bring about.
pub(crate) async fn carefully<T>(waiting: impl Future<Output = T>) -> T {
    let mut waiting = pin!(waiting);
    poll_fn(|context| {
        let waker = Waker::from(Arc::new(Careful(context.waker().clone())));
        waiting.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}
