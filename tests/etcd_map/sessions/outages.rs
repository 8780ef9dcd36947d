//! A session whose server is away, or does not hear it, or is not heard.
//!
//! Never says how an outage must end where that is the server's to say: only that what it says fits what stands there.

use futures::FutureExt;
use globe::{
    Claims, EtcdLog, Fenced, LeaseId, Lock, Loss, Session, SessionEvent, SessionState, Version,
};
use globe_test_support::{EtcdCluster, EtcdServer, EtcdVersion, GrpcProxy, Proxy};
use tokio::time::{Instant, sleep, timeout};

use super::{End, Rig, SHORT};
use crate::node::{Numbers, node, within};

/// etcd starts each lease again in full when it has been away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_dead_for_two_ttls_gives_a_session_its_lease_back() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let mut rig = Rig::new(version, SHORT).await;
        rig.put("a", 1).await;
        let before = rig.standing("a").await;
        rig.server.kill();
        assert_eq!(rig.event().await, SessionEvent::Suspended);
        sleep(SHORT).await;
        assert_eq!(rig.session.state(), SessionState::Suspended);
        rig.server.restart().await;
        assert_eq!(rig.end().await, End::Resumed);
        assert_eq!(rig.session.state(), SessionState::Live);
        assert_eq!(rig.standing("a").await, before, "nothing was rewritten");
        rig.put("b", 2).await;
        assert_eq!(
            rig.standing("b").await.1,
            before.1,
            "it writes under the lease it had"
        );
    }
}

/// Each new leader starts all leases again in full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leader_changes_end_nothing_early() {
    let cluster = EtcdCluster::start(&[EtcdVersion::Reference; 3]).await;
    let log = EtcdLog::connect(cluster.endpoints()).await.unwrap();
    let claims = within("a map", Claims::open(log.clone(), "claims"));
    let claims = claims.await.unwrap();
    let session = Session::builder(log).ttl(SHORT).open();
    let session = within("a session", session).await.unwrap();
    let mut events = session.events();
    let lock = Lock::new(&claims, &session, "a").unwrap();
    let guard = within("the lock", lock.acquire()).await.unwrap();
    let url = cluster.url();
    let other = within("a map", Claims::connect(&url, "claims"));
    let other = other.await.unwrap();
    let ends = Instant::now() + SHORT * 4;
    while Instant::now() < ends {
        cluster.move_leader().await;
        sleep(SHORT / 6).await;
        within("all is seen", other.sync()).await.unwrap();
        let claims = other.view();
        let created = claims.iter().map(|(_, claim)| claim.created().revision().0);
        assert_eq!(created.collect::<Vec<_>>(), [guard.token().number]);
    }
    within("it is sure of it", guard.resumed()).await.unwrap();
    while let Some(event) = events.next().now_or_never() {
        assert!(
            !matches!(event, Some(SessionEvent::Lost(_)) | None),
            "{event:?}"
        );
    }
}

/// Its clock went on: to a renewal that comes after the lease's time etcd says that it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_frozen_for_two_ttls_ends_the_lease_and_the_entry_is_put_back() {
    let mut rig = Rig::new(EtcdVersion::Reference, SHORT).await;
    rig.put("a", 1).await;
    let before = rig.standing("a").await;
    rig.server.pause();
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    sleep(SHORT).await;
    rig.server.resume();
    assert_eq!(rig.end().await, End::Lost(Loss::Expired));
    assert_eq!(rig.restored().await, 1);
    is_under_another_lease(&rig, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_not_heard_for_ttls_loses_its_lease_and_takes_another() {
    let mut rig = Rig::new(EtcdVersion::Reference, SHORT).await;
    rig.put("a", 1).await;
    let before = rig.standing("a").await;
    rig.proxy.freeze_requests();
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    rig.is_gone("a").await;
    sleep(SHORT).await;
    assert!(rig.entry("a").await.is_none(), "nobody puts it back");
    rig.proxy.heal();
    assert_eq!(rig.end().await, End::Lost(Loss::Expired));
    assert_eq!(rig.restored().await, 1);
    is_under_another_lease(&rig, before).await;
}

/// Its renewals may arrive all the while: then the entry has stood as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_hears_nothing_for_ttls_trusts_no_lease_and_finds_what_is_so() {
    let mut rig = Rig::new(EtcdVersion::Reference, SHORT).await;
    rig.put("a", 1).await;
    let before = rig.standing("a").await;
    rig.proxy.freeze_replies();
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    sleep(SHORT * 2).await;
    assert_eq!(rig.session.state(), SessionState::Suspended);
    rig.proxy.heal();
    match rig.end().await {
        End::Resumed => assert_eq!(rig.standing("a").await, before),
        End::Lost(loss) => {
            assert_eq!(loss, Loss::Expired);
            assert_eq!(rig.restored().await, 1);
            is_under_another_lease(&rig, before).await;
        }
    }
}

/// Longer than a renewal may take, shorter than a lease lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_cut_again_and_again_suspends_nobody_for_long_and_rewrites_nothing() {
    let mut rig = Rig::new(EtcdVersion::Reference, SHORT * 5).await;
    rig.put("a", 1).await;
    let before = rig.standing("a").await;
    for fault in [Proxy::cut, Proxy::freeze, Proxy::cut] {
        fault(&rig.proxy);
        sleep(SHORT).await;
        rig.proxy.heal();
        rig.is_in(SessionState::Live).await;
        rig.put("b", 2).await;
    }
    assert_eq!(rig.standing("a").await, before, "nothing was rewritten");
    rig.session.close().await.unwrap();
    loop {
        match rig.event().await {
            SessionEvent::Suspended | SessionEvent::Resumed => {}
            SessionEvent::Lost(Loss::Closed) => break,
            other => panic!("{other:?}"),
        }
    }
    rig.is_gone("a").await;
}

async fn is_under_another_lease(rig: &Rig, before: (Version, LeaseId)) {
    rig.is_kept("a").await;
    assert_ne!(rig.standing("a").await.1, before.1);
    rig.is_in(SessionState::Live).await;
}

/// It renews by a timer of its own, and answers only then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_behind_etcds_own_proxy_stays_live() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = GrpcProxy::start(EtcdVersion::Reference, &[server.address()]).await;
    let log = globe::connect(&proxy.url()).await.unwrap();
    let map = within("a map", Numbers::open(log.clone(), "flags")).await;
    let session = Session::builder(log).ttl(SHORT).open();
    let session = within("a session", session).await.unwrap();
    let map = map.unwrap();
    let put = map.put_ephemeral(&session, "a", 1);
    within("an ephemeral put", put).await.unwrap();
    let changed = session.changed(SessionState::Live);
    let changed = timeout(SHORT * 4, changed).await;
    assert!(changed.is_err(), "it is {changed:?}");
    let straight = node(&server.url()).await;
    assert_eq!(straight.get("a").as_deref(), Some(&1));
}
