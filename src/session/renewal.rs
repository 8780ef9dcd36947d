//! Renews the leases of a session, takes more of them, and gives back those it does not need.
//!
//! Never decides by itself how the session stands: the clocks do, whenever somebody looks.

use std::time::Duration;

use futures::future::join_all;
use globe_log_client::{Error, ErrorKind, Lease, LeaseId, Result};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::ground::backoff::Backoff;
use crate::ground::clock::Moment;
use crate::session::shared::Shared;
use crate::session::state::{Loss, SessionEvent, SessionState};

/// What came of asking the log to renew the leases.
enum Round {
    Renewed,
    Lost(Loss),
    /// To be tried again soon.
    Failed,
}

/// Renews the leases until one is lost.
pub(crate) async fn kept(shared: &Shared) -> Loss {
    tokio::select! {
        loss = renewing(shared) => loss,
        never = looking(shared) => match never {},
    }
}

/// Compares the clocks, so that who waits hears of a suspension even where no timer of its own goes on.
async fn looking(shared: &Shared) -> std::convert::Infallible {
    loop {
        sleep(shared.settings.ttl / 10).await;
        shared.state();
    }
}

async fn renewing(shared: &Shared) -> Loss {
    let ttl = shared.settings.ttl;
    let mut pauses = Backoff::new(Duration::from_millis(50), ttl / 12);
    let mut next = Instant::now() + a_third(ttl);
    loop {
        tokio::select! {
            () = sleep_until(next) => {}
            () = shared.called.notified() => {}
        }
        if let Some(loss) = shared.told() {
            return loss;
        }
        let sent = Instant::now();
        next = match round(shared).await {
            Round::Lost(loss) => return loss,
            Round::Renewed => {
                pauses.reset();
                sent + a_third(ttl)
            }
            Round::Failed => Instant::now() + pauses.next(),
        };
    }
}

/// A third of the time, more or less, so that many sessions of one moment do not stay together.
fn a_third(ttl: Duration) -> Duration {
    (ttl / 3).mul_f64(0.9 + fastrand::f64() / 5.0)
}

/// Renews every lease once, all at the same time; and what has to be done now and then.
async fn round(shared: &Shared) -> Round {
    if !shared.settings.is_alive() {
        let why = "`renew_while` says that it is not alive";
        shared.failed(&Error::new(ErrorKind::Aborted, why));
        return Round::Failed;
    }
    let leases = shared.held();
    let renewals = leases.iter().map(|lease| renew(shared, *lease));
    let (renewed, (), ()) = tokio::join!(join_all(renewals), shed(shared), grow(shared));
    let is_lost = |answer: &Result<()>| {
        let error = answer.as_ref().err();
        error.is_some_and(|error| *error.kind() == ErrorKind::LeaseLost)
    };
    if renewed.iter().any(is_lost) {
        return Round::Lost(why_lost(shared));
    }
    if let Some(error) = renewed.into_iter().find_map(Result::err) {
        shared.failed(&error);
        return Round::Failed;
    }
    match shared.state() {
        SessionState::Suspended => resume(shared).await,
        _ => Round::Renewed,
    }
}

/// Renews a lease; an attempt that takes too long is given up.
async fn renew(shared: &Shared, lease: Lease) -> Result<()> {
    let sent = Moment::now();
    let renewed = timeout(shared.settings.ttl / 4, shared.log.renew(lease)).await;
    let renewed = renewed.unwrap_or_else(|_| Err(no_answer("a renewal")))?;
    shared.renewed(renewed, sent);
    Ok(())
}

/// Why the log says that a lease is gone, as far as that can be told from here.
fn why_lost(shared: &Shared) -> Loss {
    let own = shared.epoch();
    let elsewhere = |epoch: Option<_>| epoch.is_some() && epoch != own;
    if shared.attended().iter().any(|map| elsewhere(map.epoch())) {
        return Loss::EpochChanged;
    }
    match shared.state() {
        SessionState::Live => Loss::Revoked,
        _ => Loss::Expired,
    }
}

/// The leases are alive although they might have ended. Nobody else was let in meanwhile, which every map has to show
/// before anything is relied on again.
async fn resume(shared: &Shared) -> Round {
    let own = shared.epoch();
    let attended = shared.attended();
    let syncs = attended.iter().map(|map| map.sync());
    let synced = timeout(shared.settings.ttl / 4, join_all(syncs)).await;
    let Ok(synced) = synced else {
        shared.failed(&no_answer("a look at the maps"));
        return Round::Failed;
    };
    for (map, synced) in attended.iter().zip(synced) {
        match synced {
            Err(error) if *error.kind() == ErrorKind::Closed => shared.leave(&**map),
            Err(error) => {
                shared.failed(&error);
                return Round::Failed;
            }
            Ok(()) if map.epoch() != own => return Round::Lost(Loss::EpochChanged),
            Ok(()) => {}
        }
    }
    if shared.resume(SessionEvent::Resumed) {
        Round::Renewed
    } else {
        Round::Failed
    }
}

/// Revokes the leases that are given back. Not while entries are put back: what is not yet under another lease would go
/// with the one it is under.
async fn shed(shared: &Shared) {
    if shared.state() == SessionState::Live {
        revoke_former(shared).await;
    }
}

/// Grants another lease, when those there are have as many keys as is good for them.
async fn grow(shared: &Shared) {
    if shared.state() == SessionState::Live
        && shared.count_keys()
        && let Err(error) = grant(shared).await
    {
        shared.failed(&error);
    }
}

/// Grants one more lease, in the life of the log of those that are held.
pub(crate) async fn grant(shared: &Shared) -> Result<()> {
    let (ttl, sent) = (shared.settings.ttl, Moment::now());
    let granted = timeout(ttl / 4, shared.log.grant(ttl)).await;
    let lease = granted.unwrap_or_else(|_| Err(no_answer("a grant")))?;
    if shared.epoch().is_some_and(|epoch| epoch != lease.epoch) {
        let why = "the log is in another life than the session";
        return Err(Error::new(ErrorKind::EpochChanged, why));
    }
    shared.add(lease, sent);
    Ok(())
}

/// Revokes the leases that were lost or are given back: what a restore brought back is under them, or is not wanted.
pub(crate) async fn revoke_former(shared: &Shared) {
    let revoking = shared
        .former()
        .into_iter()
        .map(|lease| revoke(shared, lease));
    for revoked in join_all(revoking).await {
        if let Err(error) = revoked {
            shared.failed(&error);
        }
    }
}

pub(crate) async fn revoke(shared: &Shared, lease: LeaseId) -> Result<()> {
    let revoked = timeout(shared.settings.ttl / 4, shared.log.revoke(lease)).await;
    revoked.unwrap_or_else(|_| Err(no_answer("a revocation")))?;
    shared.revoked(lease);
    Ok(())
}

fn no_answer(what: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("{what} was not answered in time"),
    )
}
