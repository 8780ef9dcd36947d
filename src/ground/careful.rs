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
    let mut kept: Option<(Waker, Waker)> = None;
    poll_fn(|context| {
        let theirs = context.waker();
        // Whoever waits is mostly polled with the same waker each time.
        let is_kept = kept.as_ref().is_some_and(|(of, _)| of.will_wake(theirs));
        if !is_kept {
            kept = None;
        }
        let (_, ours) = kept.get_or_insert_with(|| {
            let ours = Waker::from(Arc::new(Careful(theirs.clone())));
            (theirs.clone(), ours)
        });
        waiting.as_mut().poll(&mut Context::from_waker(ours))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Sleeper(AtomicUsize);

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_has_polled_last_is_woken() {
        let sleepers = [(); 2].map(|()| Arc::new(Sleeper::default()));
        let bell = Notify::new();
        let mut waiting = pin!(carefully(bell.notified()));
        for sleeper in [0, 0, 1].map(|who: usize| &sleepers[who]) {
            let waker = Waker::from(Arc::clone(sleeper));
            let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        bell.notify_waiters();
        let woken = sleepers.map(|sleeper| sleeper.0.load(Ordering::Relaxed));
        assert_eq!(woken, [0, 1]);
    }
}
