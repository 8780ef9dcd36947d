//! What cannot be meant, and what cannot be had: errors by name, in bounded time.

use std::time::Duration;

use futures::FutureExt;
use globe::{ErrorKind, LogClient, MemoryLog, Session};
use tokio::time::Instant;

use crate::rig::{Around, fails_with, numbers};
use crate::{Rig, SECOND, TTL};

#[tokio::test(start_paused = true)]
async fn what_cannot_be_meant_is_invalid_and_names_the_limit() {
    let log = MemoryLog::new();
    for ttl in [Duration::ZERO, SECOND * 365 * 24 * 3600] {
        let open = Session::builder(log.clone()).ttl(ttl).open().await;
        let error = fails_with(open, ErrorKind::Invalid);
        assert!(error.to_string().contains("1s to 300s"), "{error}");
    }
    let open = Session::builder(log.clone()).name("").open().await;
    let error = fails_with(open, ErrorKind::Invalid);
    assert!(error.to_string().contains("no characters"), "{error}");
    let open = Session::builder(log).open_timeout(Duration::ZERO).open();
    fails_with(open.await, ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_session_of_another_log_is_invalid() {
    let rig = Rig::new().await;
    let elsewhere = numbers(&MemoryLog::new()).await;
    let put = elsewhere.put_ephemeral(&rig.session, "a", 1).await;
    fails_with(put, ErrorKind::Invalid);
    let txn = |txn: &mut globe::Txn<'_>| txn.put_ephemeral(&elsewhere, &rig.session, "a", 1);
    fails_with(elsewhere.transact(txn).await, ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_log_without_leases_has_no_sessions() {
    let mut capabilities = MemoryLog::new().capabilities();
    capabilities.leases = false;
    let log = MemoryLog::builder().capabilities(capabilities).build();
    fails_with(Session::open(log).await, ErrorKind::Unsupported);
}

#[tokio::test(start_paused = true)]
async fn opening_waits_for_a_log_that_is_away_and_no_longer_than_it_may() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    way.cut(true);
    let asked = Instant::now();
    let open = Session::builder(way.clone())
        .open_timeout(3 * SECOND)
        .open();
    fails_with(open.await, ErrorKind::Unavailable);
    assert!(asked.elapsed() <= 3 * SECOND);
    let (opened, ()) = tokio::join!(Session::open(way.clone()), async {
        tokio::time::sleep(SECOND).await;
        way.cut(false);
    });
    opened.unwrap();
    let denied = globe::Error::new(ErrorKind::Denied, "no");
    way.refuse(Some(denied));
    fails_with(Session::open(way).await, ErrorKind::Denied);
}

#[test]
fn without_a_runtime_that_has_a_timer_it_is_invalid() {
    let open = Session::open(MemoryLog::new()).now_or_never();
    fails_with(open.unwrap(), ErrorKind::Invalid);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let open = runtime.block_on(Session::open(MemoryLog::new()));
    fails_with(open, ErrorKind::Invalid);
}

/// While the session is suspended nothing is written under it; a write waits, and no longer than it may.
#[tokio::test(start_paused = true)]
async fn a_write_waits_for_a_live_session_until_its_deadline() {
    let rig = Rig::patient().await;
    rig.put("a", 1).await;
    // Only renewals are held up: the log could be written.
    rig.way.delay_renewals(TTL * 2);
    rig.session.changed(globe::SessionState::Live).await;
    let hasty = rig.map.with_deadline(SECOND);
    let commits = rig.way.calls().commits;
    let asked = Instant::now();
    let put = hasty.put_ephemeral(&rig.session, "b", 1).await;
    let error = fails_with(put, ErrorKind::Unavailable);
    assert!(error.to_string().contains("session"), "{error}");
    let txn = |txn: &mut globe::Txn<'_>| txn.put_ephemeral(&hasty, &rig.session, "b", 1);
    fails_with(hasty.transact(txn).await, ErrorKind::Unavailable);
    assert!(asked.elapsed() <= 3 * SECOND);
    assert_eq!(rig.way.calls().commits, commits, "nothing was sent");
    let patient = rig.map.with_deadline(SECOND * 60);
    let (put, txn, ()) = tokio::join!(
        patient.put_ephemeral(&rig.session, "b", 1),
        patient.transact(|txn| txn.put_ephemeral(&rig.map, &rig.session, "c", 1)),
        async { rig.way.delay_renewals(Duration::ZERO) }
    );
    put.unwrap();
    txn.unwrap();
    assert_eq!(rig.seen().await.len(), 3);
}

/// Of an entry that is gone as well, which a write that does not name the session would put back under no lease.
#[tokio::test(start_paused = true)]
async fn every_write_of_a_wanted_key_waits_for_its_session_alike() {
    let rig = Rig::patient().await;
    for key in ["put", "update", "put_all"] {
        rig.put(key, 1).await;
    }
    rig.way.delay_renewals(TTL * 2);
    rig.session.changed(globe::SessionState::Live).await;
    rig.other.clear().await.unwrap();
    rig.map.sync().await.unwrap();
    let hasty = rig.map.with_deadline(SECOND);
    let commits = rig.way.calls().commits;
    let refused = |written: bool, asked: Instant| {
        assert!(!written && asked.elapsed() > SECOND / 2);
    };
    let asked = Instant::now();
    refused(hasty.put("put", 2).await.is_ok(), asked);
    let asked = Instant::now();
    refused(hasty.update("update", |_| 2).await.is_ok(), asked);
    let asked = Instant::now();
    let all = hasty.put_all([("put_all".to_owned(), 2)]).await;
    let error = fails_with(all, ErrorKind::Unavailable);
    assert!(error.to_string().contains("session"), "{error}");
    refused(false, asked);
    assert_eq!(rig.way.calls().commits, commits, "nothing was sent");
    let patient = rig.map.with_deadline(SECOND * 60);
    let (put, update, all, ()) = tokio::join!(
        patient.put("put", 3),
        patient.update("update", |_| 3),
        patient.put_all([("put_all".to_owned(), 3)]),
        async { rig.way.delay_renewals(Duration::ZERO) }
    );
    put.unwrap();
    let updated = update.unwrap();
    all.unwrap();
    let seen = rig.seen().await;
    assert!(seen.len() == 3 && seen.iter().all(|(_, value)| *value == 3));
    assert_eq!(updated.lease(), rig.lease("update"));
    for key in ["put", "update", "put_all"] {
        assert!(rig.lease(key).is_some(), "{key}");
    }
}
