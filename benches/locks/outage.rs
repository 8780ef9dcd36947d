//! A server that is away for twice as long as sessions live without it: how many claims that costs, and how long after its
//! return all are held again.
//!
//! What is held is asked of its holders, what stands of a map that was opened only afterwards.

use std::collections::BTreeMap;

use globe::{Claims, EtcdLog, Globe, Lock, LockGuard};
use globe_bench::{Done, Target, Turns, Unit, first_answer, report};
use globe_test_support::EtcdServer;
use tokio::time::{Duration, Instant, sleep_until};

use crate::rival::Rival;

const TTL: Duration = Duration::from_secs(3);
const OUTAGE: Duration = Duration::from_secs(6);

/// So many locks, each held by one, and wanted by the other.
const LOCKS: usize = 128;

pub(crate) async fn measure(mut server: EtcdServer) -> Done {
    let endpoint = server.endpoint();
    let (one, other) = (
        Rival::with(&endpoint, TTL).await?,
        Rival::with(&endpoint, TTL).await?,
    );
    let of = |rival: &Rival, number: usize| {
        Lock::new(&rival.claims, &rival.session, &format!("outage-{number}"))
    };
    let mut held: Vec<LockGuard> = Vec::new();
    for number in 0..LOCKS {
        held.push(of(&one, number)?.acquire().await?);
    }
    let mut waiting = Vec::new();
    for number in 0..LOCKS {
        let lock = of(&other, number)?;
        waiting.push(tokio::spawn(async move { lock.acquire().await }));
    }
    one.counts(2 * LOCKS).await?;
    // A claim whose commit is not answered when the server dies is nobody's, and made anew: all have been before this one is.
    of(&other, LOCKS)?.acquire().await?.release().await?;
    one.counts(2 * LOCKS).await?;
    let before = created(&one.claims);

    server.kill();
    sleep_until(Instant::now() + OUTAGE).await;
    let returned = Instant::now();
    server.restart_unready();
    let peer = tokio::spawn(first_answer(endpoint.clone(), returned));
    for guard in &held {
        guard.resumed().await?;
    }
    let resumed = returned.elapsed();
    let answered = peer.await?;
    other.session.live().await?;

    let afterwards: Claims = Globe::open(EtcdLog::connect([&endpoint]).await?, "claims").await?;
    let after = created(&afterwards);
    let kept = before
        .iter()
        .filter(|claim| after.get(claim.0) == Some(claim.1));
    let lost = 2 * LOCKS - kept.count();
    let changed = waiting
        .iter()
        .filter(|waiting| waiting.is_finished())
        .count();
    let anew = after
        .keys()
        .filter(|key| !before.contains_key(*key))
        .count();
    let mut turns = Turns::of(Unit::Claims);
    turns.count((lost + changed + anew) as f64, 2.0 * LOCKS as f64);
    let figure = "claims that changed hands, were lost or made anew in an outage of 6 s (ttl 3 s), beside all that were held or waited for";
    report(figure, &turns, Target::Under(1.0));
    let mut turns = Turns::default();
    turns.push(resumed, answered);
    let figure = format!(
        "from the return of the server until {LOCKS} locks are held again, beside the first answer to etcd-client"
    );
    report(&figure, &turns, Target::None);
    Ok(())
}

/// What stands, and the commits that made it.
fn created(claims: &Claims) -> BTreeMap<String, u64> {
    let view = claims.view();
    let claims = view
        .iter()
        .filter(|(key, _)| key.starts_with("lock/outage"));
    claims
        .map(|(key, entry)| (key.clone(), entry.created().revision().0))
        .collect()
}
