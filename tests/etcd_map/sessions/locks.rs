//! Locks on a real server: outages in which nothing changes hands, owners that die or are stopped, third parties.
//!
//! Never takes a holder's word for what it wrote: what was committed says that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use globe::{ErrorKind, Fenced, LockGuard, SessionState};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep, sleep_until};

use super::SHORT;
use super::processes::{LATE, signal, starts};
use super::rival::Rival;
use crate::node::{BOUND, TOLD, within};

/// An outage of twice the time to live. etcd starts each lease again in full when it has been away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_outage_of_two_ttls_no_claim_changes_hands_and_none_is_acquired_anew() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let (one, other) = (
        Rival::new(&server.url()).await,
        Rival::new(&server.url()).await,
    );
    let guard = within("the lock", one.lock().acquire()).await.unwrap();
    let lock = other.lock();
    let waiting = tokio::spawn(async move { lock.acquire().await });
    other.counts(2).await;
    // A claim whose commit was not answered would be made anew.
    other.is_answered().await;
    let (token, before) = (guard.token(), other.keys());
    server.kill();
    let killed = Instant::now();
    let unsure = within("its holder stops", guard.unsure()).await;
    assert_eq!(unsure, SessionState::Suspended);
    sleep_until(killed + 2 * SHORT).await;
    assert!(!guard.is_held());
    server.restart().await;
    within("it is held again", guard.resumed()).await.unwrap();
    assert_eq!(guard.token(), token);
    one.claims.sync().await.unwrap();
    assert_eq!(one.keys(), before);
    assert!(!waiting.is_finished());
    within("a release", guard.release()).await.unwrap();
    let next = within("the other has it", waiting).await.unwrap().unwrap();
    assert!(next.token().number > token.number);
}

/// All of them have seen each release when it is counted who was woken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_release_wakes_one_of_a_thousand_waiters() {
    const WAITERS: usize = 1_000;
    const RELEASES: usize = 20;
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let mut rivals = Vec::new();
    for _ in 0..5 {
        rivals.push(Rival::patient(&server.url()).await);
    }
    let first = within("the lock", rivals[0].lock().acquire()).await;
    let (woken, (sender, mut had)) = (Arc::new(AtomicUsize::new(0)), unbounded_channel());
    for waiter in 0..WAITERS {
        let lock = rivals[waiter % rivals.len()].lock();
        let (sender, woken) = (sender.clone(), Arc::clone(&woken));
        tokio::spawn(async move {
            let guard = lock.acquire().await;
            // Who waits to the end is told that its session is closed.
            if guard.is_ok() {
                woken.fetch_add(1, Ordering::SeqCst);
                let _ = sender.send(guard);
            }
        });
    }
    for rival in &rivals {
        rival.counts(WAITERS + 1).await;
    }
    let mut held: LockGuard = first.unwrap();
    for release in 1..=RELEASES {
        let token = held.token();
        within("a release", held.release()).await.unwrap();
        held = within("the next has it", had.recv())
            .await
            .unwrap()
            .unwrap();
        for rival in &rivals {
            within("all was seen", rival.claims.sync()).await.unwrap();
        }
        assert_eq!(woken.load(Ordering::SeqCst), release);
        assert!(held.is_held() && held.token().number > token.number);
        assert_eq!(rivals[0].claims.len(), WAITERS + 1 - release);
    }
    for rival in &rivals {
        within("a close", rival.session.close()).await.unwrap();
    }
    rivals[0].counts(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_an_owner_is_killed_the_next_holds_after_its_ttl() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let server = EtcdServer::start(version).await;
        let other = Rival::new(&server.url()).await;
        let mut process = starts("sessions::locks::who_holds", &server);
        other.counts(1).await;
        let lock = other.lock();
        let waiting = tokio::spawn(async move { lock.acquire().await });
        other.counts(2).await;
        process.kill().await.unwrap();
        let killed = Instant::now();
        let next = within("the next has it", waiting).await.unwrap().unwrap();
        let waited = killed.elapsed();
        assert!(waited < SHORT + LATE, "{waited:?}");
        assert!(next.is_held());
    }
}

/// It wakes up in the middle of its work, and writes: that is refused, in the log itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_owner_writes_that_was_stopped_beyond_its_ttl_is_refused() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let other = Rival::new(&server.url()).await;
    let process = starts("sessions::locks::who_holds", &server);
    let wrote = |key| {
        let state = &other.state;
        wait_until(
            "it wrote",
            BOUND,
            move || async move { state.contains_key(key) },
        )
    };
    wrote("held").await;
    signal(&process, "STOP");
    let next = within("the next has it", other.lock().acquire())
        .await
        .unwrap();
    let own = other.state.transact(|txn| {
        txn.require(&next)?;
        txn.put(&other.state, "held", next.token().number)
    });
    within("it writes", own).await.unwrap();
    signal(&process, "CONT");
    wrote("refused").await;
    assert_eq!(
        other.state.get("held").as_deref(),
        Some(&next.token().number)
    );
    assert!(next.is_held());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of tests here, which run it in a process of its own"]
async fn who_holds() {
    let url = std::env::var(TOLD).unwrap();
    let rival = Rival::new(&url).await;
    let guard = within("the lock", rival.lock().acquire()).await.unwrap();
    loop {
        let written = rival.state.transact(|txn| {
            txn.require(&guard)?;
            txn.put(&rival.state, "held", guard.token().number)
        });
        match written.await {
            Ok(_) => {}
            Err(error) if *error.kind() == ErrorKind::NotHeld => break,
            Err(_) => sleep(SHORT / 30).await,
        }
    }
    rival.state.put("refused", 1).await.unwrap();
    std::future::pending::<()>().await;
}

/// With the tools of etcd the next is let in, and who held learns of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_can_be_read_and_taken_away_by_etcds_own_tool() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let (one, other) = (
        Rival::new(&server.url()).await,
        Rival::new(&server.url()).await,
    );
    let guard = within("the lock", one.lock().acquire()).await.unwrap();
    let shown = server
        .etcdctl(&["get", "--prefix", "claims/lock/invoices/"])
        .await;
    assert!(
        shown.contains(&format!("\"by\":{:?}", one.session.name())),
        "{shown}"
    );
    let lock = other.lock();
    let waiting = tokio::spawn(async move { lock.acquire().await });
    other.counts(2).await;
    let key = shown.lines().next().unwrap().to_owned();
    server.etcdctl(&["del", &key]).await;
    let next = within("the next has it", waiting).await.unwrap().unwrap();
    let lost = within("its owner learns of it", guard.unsure()).await;
    assert!(matches!(lost, SessionState::Lost(_)), "{lost}");
    assert!(next.is_held());
}
