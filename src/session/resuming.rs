//! A session whose leases turn out to be alive although they might have ended is live again, once its maps have shown what
//! happened meanwhile.
//!
//! Never relies on a renewal alone: an entry may be gone although the lease it was under is not.

use std::time::Duration;

use futures::future::join_all;
use globe_log_client::ErrorKind;
use tokio::time::{sleep, timeout};

use crate::ground::backoff::Backoff;
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

/// The leases are alive although they might have ended. Nobody else was let in meanwhile, which every map has to show
/// before anything is relied on again.
async fn resume(shared: &Shared) -> Look {
    let own = shared.epoch();
    let attended = shared.attended();
    let syncs = attended.iter().map(|map| map.sync());
    let synced = timeout(shared.settings.ttl / 4, join_all(syncs)).await;
    let Ok(synced) = synced else {
        shared.failed(&no_answer("a look at the maps"));
        return Look::Failed;
    };
    for (map, synced) in attended.iter().zip(synced) {
        match synced {
            Err(error) if *error.kind() == ErrorKind::Closed => shared.leave(&**map),
            Err(error) => {
                shared.failed(&error);
                return Look::Failed;
            }
            Ok(()) if map.epoch() != own => return Look::Lost(Loss::EpochChanged),
            Ok(()) => {}
        }
    }
    if shared.resume(SessionEvent::Resumed) {
        Look::Resumed
    } else {
        Look::Failed
    }
}
