//! How old a tail grows: it is told at two ages, after which less is feared of it.
//!
//! It knows nothing of what the tail delivers.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::follow::pauses::STEADY;

/// A tail that lived this long, or delivered something, ends an outage: one that breaks as soon as it is opened does not.
pub(crate) const SETTLED: Duration = Duration::from_secs(1);

/// What a tail has grown to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grown {
    /// Old enough to end an outage.
    Settled,
    /// Old enough to forget what failed before it.
    Steady,
}

/// The age of one tail.
pub(crate) struct Age {
    opened: Instant,
    /// What it grows to next; `None` when it is as old as is asked for.
    next: Option<Grown>,
    timer: Pin<Box<Sleep>>,
}

impl Age {
    /// Of a tail that is opened now.
    pub(crate) fn begin() -> Age {
        let opened = Instant::now();
        Age {
            opened,
            next: Some(Grown::Settled),
            timer: Box::pin(sleep_until(opened + SETTLED)),
        }
    }

    /// Waits until it has grown to the next age; for ever after the last one. Cancel safe.
    pub(crate) async fn grown(&mut self) -> Grown {
        let Some(grown) = self.next else {
            return std::future::pending().await;
        };
        self.timer.as_mut().await;
        self.next = match grown {
            Grown::Settled => {
                self.timer.as_mut().reset(self.opened + STEADY);
                Some(Grown::Steady)
            }
            Grown::Steady => None,
        };
        grown
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_age_is_told_once_in_its_time_also_by_one_who_looks_away() {
        let mut age = Age::begin();
        assert_eq!(age.grown().now_or_never(), None, "too young");
        advance(SETTLED).await;
        assert_eq!(age.grown().now_or_never(), Some(Grown::Settled));
        assert_eq!(age.grown().now_or_never(), None, "told once");
        advance(STEADY - SETTLED).await;
        assert_eq!(age.grown().now_or_never(), Some(Grown::Steady));
        advance(STEADY).await;
        assert_eq!(age.grown().now_or_never(), None, "nothing more to tell");
    }
}
