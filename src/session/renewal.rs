//! Renews the leases of a session, takes more of them, and gives back those it does not need.
//!
//! Never decides by itself how the session stands: the clocks do, whenever somebody looks.

use std::convert::Infallible;
use std::future::pending;

use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use globe_log_client::{Error, ErrorKind, Lease, LeaseId, Result};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::ground::clock::Moment;
use crate::session::resuming::resuming;
use crate::session::schedule::{Schedule, patience};
use crate::session::shared::{Shared, no_answer};
use crate::session::state::{Loss, SessionState};

/// Renews the leases until one is lost. What is under way then is dropped.
pub(crate) async fn kept(shared: &Shared) -> Loss {
    tokio::select! {
        loss = renewing(shared) => loss,
        loss = resuming(shared) => loss,
        never = tending(shared) => match never {},
        never = looking(shared) => match never {},
    }
}

/// Compares the clocks, so that who waits hears of a suspension even where no timer of its own goes on.
async fn looking(shared: &Shared) -> Infallible {
    loop {
        sleep(shared.settings.ttl / 10).await;
        shared.state();
    }
}

/// Gives back and takes leases now and then, and at once when one is wanted.
async fn tending(shared: &Shared) -> Infallible {
    loop {
        // How that ends is no news: there is something to do either way.
        let _ = timeout(shared.settings.ttl / 3, shared.short.notified()).await;
        tend(shared).await;
    }
}

/// A renewal that was answered, or given up.
struct Answered {
    lease: LeaseId,
    sent: Moment,
    renewed: Result<Lease>,
}

/// Renews every lease by itself: one whose answers are slow, or do not come, is asked for beside them, and no other waits
/// for that.
async fn renewing(shared: &Shared) -> Loss {
    let mut schedule = Schedule::new(shared.settings.ttl);
    let mut under_way = FuturesUnordered::new();
    loop {
        let held = shared.held_since();
        schedule.follow(&held);
        for lease in to_renew(shared, &mut schedule, &held) {
            under_way.push(renew(shared, lease));
        }
        tokio::select! {
            () = until(schedule.next()) => {}
            () = shared.called.notified() => schedule.call(Instant::now()),
            Some(answered) = under_way.next() => {
                if settle(shared, &mut schedule, answered) {
                    return why_lost(shared);
                }
            }
        }
    }
}

async fn until(next: Option<Instant>) {
    match next {
        Some(next) => sleep_until(next).await,
        None => pending().await,
    }
}

/// The leases that are to be renewed now, if what they are for is alive.
fn to_renew(shared: &Shared, schedule: &mut Schedule, held: &[(Lease, Moment)]) -> Vec<Lease> {
    let now = Instant::now();
    let due = schedule.due(now);
    if due.is_empty() {
        return Vec::new();
    }
    if let Err(error) = shared.check_alive() {
        shared.failed(&error);
        due.iter().for_each(|lease| schedule.put_off(*lease, now));
        return Vec::new();
    }
    due.iter().for_each(|lease| schedule.sent(*lease, now));
    let leases = held.iter().map(|(lease, _)| *lease);
    leases.filter(|lease| due.contains(&lease.id)).collect()
}

/// Renews a lease once; one that takes too long is given up.
async fn renew(shared: &Shared, lease: Lease) -> Answered {
    let sent = Moment::now();
    let renewed = timeout(patience(shared.settings.ttl), shared.log.renew(lease)).await;
    Answered {
        lease: lease.id,
        sent,
        renewed: renewed.unwrap_or_else(|_| Err(no_answer("a renewal"))),
    }
}

/// Takes note of an answer; whether it says that a lease is gone. Of one that was given back meanwhile that is no news.
fn settle(shared: &Shared, schedule: &mut Schedule, answered: Answered) -> bool {
    let Answered {
        lease,
        sent,
        renewed,
    } = answered;
    let now = Instant::now();
    match renewed {
        Ok(renewed) => {
            shared.renewed(renewed, sent);
            schedule.renewed(lease, now);
        }
        Err(error) if *error.kind() == ErrorKind::LeaseLost => {
            return shared.is_own(lease) == Some(true);
        }
        Err(error) => {
            shared.failed(&error);
            schedule.failed(lease, now);
        }
    }
    false
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

/// Gives back and takes leases, of a session that is live: while one is restored, entries may still stand under those that
/// it has lost.
async fn tend(shared: &Shared) {
    if shared.state() == SessionState::Live {
        tokio::join!(revoke_former(shared), grow(shared));
    }
}

/// Grants another lease, when those there are have as many keys as is good for them.
async fn grow(shared: &Shared) {
    if shared.count_keys()
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
