//! A check that says of a member whether it is up.
//!
//! Never lets a check take anything with it: one that panics or hangs says down.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::recipes::registry::member::State;
use crate::recipes::registry::place::Place;
use crate::{Error, ErrorKind, Result};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A check that is run again and again: made by [`Registration::health`](crate::registry::Registration::health). Dropping it
/// ends it, and leaves the member as it is.
#[must_use = "dropping it ends it"]
pub struct Health {
    _stop: DropGuard,
}

impl Health {
    pub(crate) fn start<T, C>(
        place: &Arc<Place<T>>,
        runtime: &Handle,
        every: Duration,
        check: impl FnMut() -> C + Send + 'static,
    ) -> Result<Health>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
        C: Future<Output = bool> + Send,
    {
        if every.is_zero() || every > DAY {
            let why = format!(
                "a check cannot be run each {every:?}: it must be more than zero and at most 24 hours"
            );
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        let stop = CancellationToken::new();
        let (place, stopped) = (Arc::clone(place), stop.clone());
        runtime.spawn(async move {
            let left = place.left.clone();
            tokio::select! {
                () = left.cancelled() => {}
                () = stopped.cancelled() => {}
                () = watch_over(&place, every, check) => {}
            }
        });
        Ok(Health {
            _stop: stop.drop_guard(),
        })
    }
}

async fn watch_over<T, C>(place: &Place<T>, every: Duration, mut check: impl FnMut() -> C)
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Future<Output = bool>,
{
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let checking = AssertUnwindSafe(async { check().await }).catch_unwind();
        let is_up = matches!(timeout(every, checking).await, Ok(Ok(true)));
        let state = if is_up { State::Up } else { State::Down };
        let now = place.mine().state;
        if now == state || now == State::Draining {
            continue;
        }
        let written = place.set(|me| {
            if me.state != State::Draining {
                me.state = state;
            }
        });
        if let Err(error) = written.await {
            let member = &place.key;
            tracing::debug!(%member, %error, "the health of a member could not be written");
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}
