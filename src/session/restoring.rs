//! After a loss: other leases, and the entries under them again.
//!
//! Never puts back what has a fence: claims are acquired anew.

use std::time::Duration;

use futures::future::join_all;
use globe_log_client::{Error, ErrorKind, Result};
use tokio::time::sleep;

use crate::ground::backoff::Backoff;
use crate::ground::sync::{Mutex, lock};
use crate::session::attended::{Restoration, shown};
use crate::session::renewal::{grant, kept, revoke_former};
use crate::session::shared::Shared;
use crate::session::state::SessionEvent;

/// The longest pause before it is tried again, for a session whose ttl is long enough.
const LONGEST: Duration = Duration::from_secs(2);

/// Goes on under new leases, however long it takes until they are had and every entry is back.
pub(crate) async fn restore(shared: &Shared) {
    let longest = (shared.settings.ttl / 8).min(LONGEST);
    let mut pauses = Backoff::new(Duration::from_millis(50), longest);
    let found = Mutex::new(Restoration::of(shared.me(), &shared.attended()));
    loop {
        let restored = tokio::select! {
            restored = try_restore(shared, &found) => restored,
            // The new ones are kept meanwhile, and may be lost as well.
            loss = kept(shared) => Err(Error::new(ErrorKind::LeaseLost, loss.to_string())),
        };
        let error = match restored {
            Ok(()) if shared.resume(event(&found)) => return,
            Ok(()) => Error::new(ErrorKind::LeaseLost, "the new leases are not live any more"),
            Err(error) => error,
        };
        if matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::EpochChanged) {
            shared.drop_leases();
        }
        shared.failed(&error);
        sleep(pauses.next()).await;
    }
}

/// One attempt at it.
async fn try_restore(shared: &Shared, found: &Mutex<Restoration>) -> Result<()> {
    shared.check_alive()?;
    take_leases(shared).await?;
    let attended = shared.attended();
    let restoring = attended.iter().map(|map| map.restore(found));
    let (mut behind, mut why) = (Vec::new(), None);
    for (map, restored) in attended.iter().zip(join_all(restoring).await) {
        match restored {
            Err(error) if *error.kind() == ErrorKind::Closed => shared.leave(&**map),
            Err(error) => {
                behind.push(map.keyspace().clone());
                why.get_or_insert(error);
            }
            Ok(()) => {}
        }
    }
    shared.wait_for(behind);
    if let Some(error) = why {
        return Err(error);
    }
    // Only now: what was written again is bound to the new ones, and stays.
    revoke_former(shared).await;
    Ok(())
}

/// As many leases as its entries need.
async fn take_leases(shared: &Shared) -> Result<()> {
    let most = shared.log.capabilities().records_per_lease.max(1);
    let needed = shared.entries().div_ceil(most).max(1);
    while shared.held().len() < needed {
        grant(shared).await?;
    }
    Ok(())
}

fn event(found: &Mutex<Restoration>) -> SessionEvent {
    let found = lock(found);
    let kept_out = found.kept_out.iter();
    SessionEvent::Restored {
        put_back: found.put_back.len(),
        kept_out: kept_out
            .map(|(of, text)| (of.clone(), shown(text)))
            .collect(),
    }
}
