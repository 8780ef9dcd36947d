//! Hearing of how the map is doing: whether it follows its log, or no longer does.
//!
//! It never looks at the map, and never asks more often than something can have changed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::Error;
use tokio::time::timeout;

use crate::entry::key::Key;
use crate::ground::careful::carefully;
use crate::replica::Replica;
use crate::replica::status::Phase;

/// The next tick of the clock: a map is still live when it is as old as `stale_after`, and no longer after that.
const TICK: Duration = Duration::from_millis(1);

/// Follows the phase of a map. Made by [`Reader::watch_phase`](crate::Reader::watch_phase).
///
/// It starts from the phase the map was in when it was made. A map goes stale by nothing but time: that wakes it as well, at
/// the moment, though nothing was published. Publications do not wake it: while the map is live it looks once each time its
/// newest proof would be too old (`stale_after`), otherwise when there is a new one. It needs tokio's clock, keeps nothing of
/// the map, and does not keep it alive.
///
/// ```
/// # use globe::{Globe, MemoryLog, Phase};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> globe::Result<()> {
/// let log = MemoryLog::new();
/// let map: Globe<String, u64> = Globe::open(log.clone(), "numbers").await?;
/// let mut phase = map.watch_phase();
/// log.set_available(false);
/// assert_eq!(phase.next().await, Some(Phase::Stale));
/// log.set_available(true);
/// assert_eq!(phase.next().await, Some(Phase::Live));
/// map.close().await;
/// assert_eq!(phase.next().await, Some(Phase::Closed));
/// assert_eq!(phase.next().await, None);
/// # Ok(())
/// # }
/// ```
pub struct PhaseWatch<K: Key, V> {
    pub(super) replica: Arc<Replica<K, V>>,
    stale_after: Duration,
    shown: Phase,
}

impl<K: Key, V: Send + Sync + 'static> PhaseWatch<K, V> {
    pub(crate) fn new(replica: Arc<Replica<K, V>>, stale_after: Duration) -> PhaseWatch<K, V> {
        let (shown, _) = look(&replica, stale_after);
        PhaseWatch {
            replica,
            stale_after,
            shown,
        }
    }

    /// The phase the map is in now. It counts as shown: the next one is another.
    pub fn catch_up(&mut self) -> Phase {
        let (phase, _) = look(&self.replica, self.stale_after);
        self.shown = phase;
        phase
    }

    /// Waits until the map is in another phase than this watch showed last. One that came and went between two looks is not
    /// shown, but the last one always is: `None` after [`Phase::Closed`] or [`Phase::Failed`], for which
    /// [`PhaseWatch::ended`] has the reason.
    ///
    /// Cancel safe: what was not returned is shown by the next call.
    pub async fn next(&mut self) -> Option<Phase> {
        loop {
            // Made before looking: what happens in between is not missed.
            let bells = self.replica.bells();
            let (proved, ended) = (bells.proof.notified(), bells.end.notified());
            let (phase, live_for) = look(&self.replica, self.stale_after);
            if phase != self.shown {
                self.shown = phase;
                return Some(phase);
            }
            match phase {
                Phase::Closed | Phase::Failed => return None,
                Phase::Hydrating => drop(self.replica.hydrated().await),
                Phase::Live => drop(timeout(live_for + TICK, carefully(ended)).await),
                Phase::Stale => carefully(first(proved, ended)).await,
            }
        }
    }

    /// Why the map has ended and no more will come: `Closed`, or what it could not go on with. `None` while it follows.
    #[must_use]
    pub fn ended(&self) -> Option<Error> {
        self.replica.ended()
    }
}

/// Whichever comes first.
async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! {
        () = one => {}
        () = other => {}
    }
}

/// The present phase, and how long it will be no older than `stale_after` without another proof.
fn look<K: Key, V>(replica: &Replica<K, V>, stale_after: Duration) -> (Phase, Duration) {
    // Asked before the rest: what is proved by now holds for every later state, but not the other way round.
    let proved_for = replica.health().proved_for();
    let live_for = proved_for.and_then(|age| stale_after.checked_sub(age));
    let end = replica.ended();
    let phase = Phase::of(
        end.as_ref().map(Error::kind),
        replica.position().is_some(),
        proved_for,
        stale_after,
    );
    (phase, live_for.unwrap_or_default())
}

impl<K: Key, V> fmt::Debug for PhaseWatch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhaseWatch")
            .field("keyspace", self.replica.keyspace())
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}
