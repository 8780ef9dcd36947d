//! Locks and elections on a real server: outages in which nothing changes hands, owners that die or are stopped, third parties.
//!
//! Never takes a holder's word for what it wrote: what was committed says that.

use globe::{Claims, ErrorKind, EtcdLog, Fenced, Globe, Lock, Session, SessionState};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};
use tokio::time::{Instant, sleep};

use super::SHORT;
use super::processes::{LATE, signal, starts};
use crate::node::{BOUND, TOLD, within};

/// One who wants the lock.
struct Rival {
    claims: Claims,
    state: Globe<String, u64>,
    session: Session,
}

impl Rival {
    async fn new(url: &str) -> Rival {
        let log = EtcdLog::from_url(url).await.unwrap();
        let claims = within("the claims", Globe::open(log.clone(), "claims")).await;
        let state = within("the state", Globe::open(log.clone(), "state")).await;
        let session = Session::builder(log).ttl(SHORT).open();
        Rival {
            claims: claims.unwrap(),
            state: state.unwrap(),
            session: within("a session", session).await.unwrap(),
        }
    }

    fn lock(&self) -> Lock {
        Lock::new(&self.claims, &self.session, "invoices").unwrap()
    }

    async fn counts(&self, expected: usize) {
        let what = format!("{expected} claims");
        wait_until(&what, BOUND, || async { self.claims.len() == expected }).await;
    }

    fn keys(&self) -> Vec<String> {
        self.claims.view().keys().cloned().collect()
    }
}

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
    let (token, before) = (guard.token(), other.keys());
    server.kill();
    let unsure = within("its holder stops", guard.unsure()).await;
    assert_eq!(unsure, SessionState::Suspended);
    sleep(SHORT).await;
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
