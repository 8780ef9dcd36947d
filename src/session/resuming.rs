//! A session whose leases turn out to be alive although they might have ended is live again, once its maps have shown what
//! happened meanwhile.
//!
//! Never relies on a renewal alone: an entry may be gone although the lease it was under is not.

use std::time::Duration;

use futures::future::join_all;
use globe_log_client::{ErrorKind, Result};
use tokio::time::{sleep, timeout};

use crate::ground::backoff::Backoff;
use crate::session::attended::Attended;
use crate::session::shared::{Shared, no_answer};
use crate::session::state::{Loss, SessionEvent};

/// What came of looking at the maps.
enum Look {
    Resumed,
    Lost(Loss),
    /// To be tried again soon.
    Failed,
}

/// Goes on whenever a session that is suspended has leases that live, until a map shows another life of the log.
pub(crate) async fn resuming(shared: &Shared) -> Loss {
    let ttl = shared.settings.ttl;
    loop {
        shared.alive.notified().await;
        let mut pauses = Backoff::new(Duration::from_millis(50), ttl / 12);
        while shared.may_resume() {
            match resume(shared).await {
                Look::Resumed => {}
                Look::Lost(loss) => return loss,
                Look::Failed => sleep(pauses.next()).await,
            }
        }
    }
}

/// Has a map show what was committed before; one that takes too long is behind.
async fn synced(shared: &Shared, map: &dyn Attended) -> Result<()> {
    let synced = timeout(shared.settings.ttl / 4, map.sync()).await;
    synced.unwrap_or_else(|_| Err(no_answer(&format!("a look at {}", map.keyspace()))))
}

/// The leases are alive although they might have ended. Nobody else was let in meanwhile, which every map has to show
/// before anything is relied on again.
async fn resume(shared: &Shared) -> Look {
    let own = shared.epoch();
    let attended = shared.attended();
    let syncs = attended.iter().map(|map| synced(shared, &**map));
    let mut behind = Vec::new();
    for (map, synced) in attended.iter().zip(join_all(syncs).await) {
        match synced {
            Err(error) if *error.kind() == ErrorKind::Closed => shared.leave(&**map),
            Err(error) => {
                shared.failed(&error);
                behind.push(map.keyspace().clone());
            }
            Ok(()) if map.epoch() != own => return Look::Lost(Loss::EpochChanged),
            Ok(()) => {}
        }
    }
    let are_all_seen = behind.is_empty();
    shared.wait_for(behind);
    if are_all_seen && shared.resume(SessionEvent::Resumed) {
        Look::Resumed
    } else {
        Look::Failed
    }
}
