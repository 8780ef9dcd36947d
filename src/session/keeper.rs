//! The task that keeps a session alive, from its first lease to the end of its last.
//!
//! Never runs anywhere but on the caller's runtime: a process that cannot run a timer should lose its lease.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use globe_log_client::{Error, ErrorKind, Result};
use tokio::time::{sleep, timeout};

use crate::ground::backoff::Backoff;
use crate::session::renewal::{kept, revoke};
use crate::session::restoring;
use crate::session::settings::Policy;
use crate::session::shared::Shared;

/// How long the leases may take to be revoked at the end. After that they end by themselves.
const END: Duration = Duration::from_secs(5);

/// Keeps a session until it is stopped or gives up, and then ends it.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let keeping = async {
        loop {
            let loss = kept(&shared).await;
            shared.lose(loss);
            if shared.settings.policy == Policy::GiveUp {
                return;
            }
            restoring::restore(&shared).await;
        }
    };
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => {}
        () = keeping => {}
    }
    shared.close();
    let revoked = timeout(END, revoke_all(&shared)).await;
    shared.end(revoked.unwrap_or_else(|_| Err(not_revoked("the log did not answer in time"))));
    shared.stop.cancel();
}

/// Ends all leases at once, each tried until the time is up.
async fn revoke_all(shared: &Shared) -> Result<()> {
    let mut pauses = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
    loop {
        let former = shared.former();
        let revoked = join_all(former.into_iter().map(|lease| revoke(shared, lease))).await;
        match revoked.into_iter().find_map(Result::err) {
            None => return Ok(()),
            Some(error) if error.can_retry_later() => sleep(pauses.next()).await,
            Some(error) => return Err(not_revoked("the log refused").with_source(error)),
        }
    }
}

fn not_revoked(why: &str) -> Error {
    let why = format!("the leases of the session were not revoked, and end by themselves: {why}");
    Error::new(ErrorKind::Unavailable, why)
}
