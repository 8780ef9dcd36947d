//! Answers that get lost, and calls that are given up: nothing is done blindly, and nothing is left behind for long.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_log_client::{ErrorKind, LogClient};
use globe_memory::MemoryLog;
use rig::{
    SOON, TTL, Way, Wire, bare, client, ends_at, join, keys, kind, leases, members, ms, records,
    shown, slow_client, swept, without_leases,
};
use tokio::time::{Instant, sleep, timeout};

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_reply_was_lost_is_settled_by_a_look() {
    for way in [Way::LosesReply, Way::LosesRequest] {
        let log = bare();
        let wire = Wire::to(&log);
        let here = wire.client();
        let lease = here.grant(TTL).await.unwrap();
        join(&here, "web-7", lease).await.unwrap();
        sleep(TTL / 2).await;
        wire.once(0, way);
        let asked = Instant::now();
        assert_eq!(here.renew(lease).await.unwrap(), lease);
        ends_at(&log, asked + TTL).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_lease_ended_meanwhile_is_lost_whatever_became_of_the_reply() {
    for way in [Way::LosesReply, Way::LosesRequest] {
        let log = bare();
        let wire = Wire::to(&log);
        let here = wire.client();
        let lease = here.grant(TTL).await.unwrap();
        client(&log).revoke(lease.id).await.unwrap();
        wire.once(0, way);
        assert_eq!(kind(here.renew(lease).await), ErrorKind::LeaseLost);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_never_answered_is_unavailable() {
    let log = bare();
    let wire = Wire::to(&log);
    let here = wire.client();
    let lease = here.grant(TTL).await.unwrap();
    wire.rule(|_| Way::LosesRequest);
    assert_eq!(kind(here.renew(lease).await), ErrorKind::Unavailable);
    assert_eq!(kind(here.grant(TTL).await), ErrorKind::Unavailable);
    wire.rule(|_| Way::Passes);
    here.renew(lease).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_reply_was_lost_leaves_nothing_behind_for_long() {
    let log = bare();
    let wire = Wire::to(&log);
    let here = wire.client();
    wire.once(0, Way::LosesReply);
    let lease = here.grant(TTL).await.unwrap();
    assert_eq!(keys(&log, &leases()).await.len(), 2);
    assert!(shown(&log, lease).await.is_some());
    sleep(TTL - ms(1)).await;
    here.renew(lease).await.unwrap();
    sleep(SOON).await;
    assert_eq!(keys(&log, &leases()).await.len(), 1);
    assert!(shown(&log, lease).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_revocation_whose_replies_were_lost_is_done_when_it_returns() {
    for way in [Way::LosesReply, Way::LosesRequest] {
        for after in 0..4 {
            let log = bare();
            let wire = Wire::to(&log);
            let here = wire.client();
            let lease = here.grant(TTL).await.unwrap();
            for n in 0..3 {
                join(&here, &format!("web-{n}"), lease).await.unwrap();
            }
            wire.once(after, way);
            here.revoke(lease.id).await.unwrap();
            let left = records(&log, &members()).await;
            assert!(left.is_empty(), "{way:?} after {after}: {left:?}");
            assert!(keys(&log, &leases()).await.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_gets_through_though_every_other_answer_is_lost() {
    for way in [Way::LosesReply, Way::LosesRequest] {
        let mut less = without_leases();
        less.max_operations = 4;
        let log = MemoryLog::builder().capabilities(less).build();
        let wire = Wire::to(&log);
        let here = wire.client();
        let lease = here.grant(TTL).await.unwrap();
        for n in 0..80 {
            join(&here, &format!("web-{n}"), lease).await.unwrap();
        }
        let mut is_lost = false;
        wire.rule(move |_| {
            is_lost = !is_lost;
            if is_lost { way } else { Way::Passes }
        });
        here.revoke(lease.id).await.unwrap();
        assert!(keys(&log, &members()).await.is_empty());
        assert!(keys(&log, &leases()).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_any_call_at_any_await_leaves_the_log_usable_and_nothing_for_long() {
    let log = bare();
    let here = slow_client(&log, 0);
    for patience in 0..100 {
        let (patience, key) = (ms(patience), format!("web-{patience}"));
        let granted = timeout(patience, here.grant(TTL)).await;
        let lease = match granted {
            Ok(granted) => granted.unwrap(),
            Err(_) => here.grant(TTL).await.unwrap(),
        };
        if let Ok(joined) = timeout(patience, join(&here, &key, lease)).await {
            joined.unwrap();
        }
        if let Ok(renewed) = timeout(patience, here.renew(lease)).await {
            renewed.unwrap();
        }
        if let Ok(revoked) = timeout(patience, here.revoke(lease.id)).await {
            revoked.unwrap();
            assert_eq!(kind(here.renew(lease).await), ErrorKind::LeaseLost);
        }
    }
    let lease = here.grant(1000 * TTL).await.unwrap();
    join(&here, "last", lease).await.unwrap();
    sleep(3 * TTL).await;
    assert_eq!(keys(&log, &members()).await.len(), 1);
    assert_eq!(keys(&log, &leases()).await.len(), 1);
    here.revoke(lease.id).await.unwrap();
    swept(&log).await;
}
