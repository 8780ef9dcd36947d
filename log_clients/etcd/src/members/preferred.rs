//! The preferred member: the one a client drew at its start, to which it comes back some time after it had to leave.
//!
//! Never goes back before that member has answered, and never at the same time as others: what a rolling restart shuffled
//! together spreads out again, one client after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::settings::Settings;

/// The member this client drew, and when it may go back to it. By this, what a rolling restart left with few members
/// spreads out again.
pub(crate) struct Preferred {
    pub(crate) index: usize,
    /// When it may be looked for, while another is used.
    due: Mutex<Option<Instant>>,
}

impl Preferred {
    pub(crate) fn new(index: usize) -> Preferred {
        Preferred {
            index,
            due: Mutex::default(),
        }
    }

    /// Another member is used from now on.
    pub(crate) fn leave(&self, settings: &Settings) {
        let pause = settings.rebalance_after;
        let soonest =
            (!pause.is_zero()).then(|| Instant::now() + pause.mul_f64(1.0 + fastrand::f64()));
        *self.due() = soonest;
    }

    /// Whether it is time to look for it. Says so once.
    pub(crate) fn is_due(&self) -> bool {
        self.due().take_if(|due| *due <= Instant::now()).is_some()
    }

    fn due(&self) -> MutexGuard<'_, Option<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::settings::builder::EtcdBuilder;

    const PAUSE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn those_who_left_together_come_back_one_after_the_other() {
        let settings = EtcdBuilder::new().rebalance_after(PAUSE).settings;
        let clients: Vec<_> = (0..100).map(Preferred::new).collect();
        clients
            .iter()
            .for_each(|preferred| preferred.leave(&settings));
        let due = || {
            clients
                .iter()
                .filter(|preferred| preferred.is_due())
                .count()
        };
        advance(PAUSE - Duration::from_millis(1)).await;
        assert_eq!(due(), 0);
        let mut came = 0;
        for tenth in 0..=10 {
            let now = due();
            assert!(now < 50, "{now} at once, after {tenth} tenths of the pause");
            came += now;
            advance(PAUSE / 10).await;
        }
        came += due();
        assert_eq!(came, 100, "after twice the pause at the latest");
    }
}
