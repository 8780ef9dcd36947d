//! Commits of many callers at once become few transactions; each caller is told what became of his own, and who leaves takes
//! nobody along, and leaves nothing behind that may land later.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;
mod two_ways;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, poll};
use globe_etcd::EtcdLog;
use globe_log_client::{
    Error, ErrorKind, Keyspace, LogClient, Position, Precondition, Result, Transaction,
};
use globe_test_support::{Act, EtcdServer, EtcdVersion, Gateway, Rule};
use rig::{
    BOUND, a_put, as_app, connect, delete, flags, guard, hasty, put, received, record, try_create,
    within,
};
use tokio::time::timeout;
use two_ways::TwoWays;

/// So many are sent at once; whoever comes then waits.
const AT_ONCE: usize = 4;

/// The path of a transaction.
const TXN: &str = "/etcdserverpb.KV/Txn";

/// How many write at once here.
const CROWD: usize = 40;

/// Long enough for what waits to be on its way, far too short for a way that is held up.
const PATIENCE: Duration = Duration::from_millis(300);

fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("key-{number:02}"))
        .collect()
}

/// Creates all of them at once.
async fn create(log: &EtcdLog, keys: &[String]) -> Vec<Result<Position>> {
    join_all(keys.iter().map(|key| try_create(log, key, "own"))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_at_once_are_few_transactions_and_each_is_told_its_own() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    put(&log, "start", "1").await;
    let before = received(&server, "Txn").await;
    let keys = names(CROWD);
    let created = create(&log, &keys).await;
    let sent = received(&server, "Txn").await - before;
    assert!(sent <= (2 * AT_ONCE) as f64, "{sent} transactions");
    for (key, created) in keys.iter().zip(created) {
        let stands = record(&log, key).await.unwrap();
        assert_eq!(stands.modified, created.unwrap().revision, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_told_to_whose_key_it_is_and_the_others_go_on() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let keys = names(CROWD);
    let taken = [&keys[17], &keys[23]];
    for key in taken {
        put(&log, key, "other").await;
    }
    for (key, created) in keys.iter().zip(create(&log, &keys).await) {
        let named = match created.map_err(|error| error.kind().clone()) {
            Ok(_) => None,
            Err(ErrorKind::Conflict(conflict)) => Some(conflict.failed),
            Err(kind) => panic!("{key}: {kind:?}"),
        };
        let named = named.map(|failed| failed.iter().map(|it| it.key().to_vec()).collect());
        let own = taken.contains(&key).then(|| vec![key.as_bytes().to_vec()]);
        assert_eq!(named, own, "{key}");
    }
}

/// As a transaction makes it that has read several entries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_with_a_guard_in_common_fail_with_it_alone() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let flags = flags();
    let [fresh, old] = [put(&log, "fresh", "1").await, put(&log, "old", "1").await];
    put(&log, "old", "2").await;
    let before = received(&server, "Txn").await;
    let keys = names(CROWD);
    let guarded = keys.iter().enumerate().map(|(number, key)| {
        let (name, position) = [("fresh", fresh), ("old", old)][usize::from(number % 8 == 7)];
        let twice = [key.clone(), format!("{key}/again")];
        let both = twice.into_iter().fold(Transaction::new(), |all, key| {
            let all = all.when(&flags, key.clone(), Precondition::Absent);
            all.put(&flags, key, "1")
        });
        log.commit(both.when(&flags, name, Precondition::At(position.revision)))
    });
    let told = within("all are told", join_all(guarded)).await;
    let sent = received(&server, "Txn").await - before;
    assert!(sent <= (4 * AT_ONCE) as f64, "{sent} transactions");
    for (number, (key, told)) in keys.iter().zip(told).enumerate() {
        let stands = record(&log, &format!("{key}/again")).await;
        match told {
            Ok(position) => assert_eq!(stands.unwrap().modified, position.revision, "{key}"),
            Err(error) => {
                let ErrorKind::Conflict(conflict) = error.kind() else {
                    panic!("{key}: {error}");
                };
                let named: Vec<_> = conflict.failed.iter().map(|it| it.key()).collect();
                assert_eq!((named, number % 8), (vec![&b"old"[..]], 7), "{key}");
                assert!(stands.is_none(), "{key}");
            }
        }
    }
}

/// Each of two writes what the other has read to be absent, so only one of them can be first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_read_what_the_other_writes_are_never_one() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let flags = flags();
    let keys = names(CROWD);
    let crossed = keys.iter().flat_map(|key| {
        let [one, other] = ["one", "other"].map(|side| format!("{key}/{side}"));
        [(one.clone(), other.clone()), (other, one)].map(|(read, written)| {
            let guarded = Transaction::new().when(&flags, read, Precondition::Absent);
            log.commit(guarded.put(&flags, written, "1"))
        })
    });
    let told = within("all are told", join_all(crossed)).await;
    for (key, pair) in keys.iter().zip(told.chunks(2)) {
        assert_eq!(pair.iter().filter(|it| it.is_ok()).count(), 1, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_may_not_write_is_written_for_the_others() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    guard(&mut server).await;
    let revoke = ["role", "revoke-permission", "app", "app/", "app0"];
    server.etcdctl(&revoke).await;
    for allowed in ["app/.globe/", "app/flags/"] {
        let grant = [
            "role",
            "grant-permission",
            "app",
            "--prefix=true",
            "readwrite",
            allowed,
        ];
        server.etcdctl(&grant).await;
    }
    let log = as_app(server.endpoint()).connect().await.unwrap();
    put(&log, "start", "1").await;
    let others = Keyspace::new("others").unwrap();
    let forbidden = Transaction::new().put(&others, "key", "1");
    let keys = names(CROWD);
    let allowed = create(&log, &keys);
    let forbidden = within("an answer", log.commit(forbidden));
    // It comes last: it waits with the others.
    let (created, denied) = tokio::join!(biased; allowed, forbidden);
    assert_eq!(*denied.unwrap_err().kind(), ErrorKind::Denied);
    assert!(created.iter().all(Result::is_ok), "{created:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_one_key_are_never_one_transaction() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let puts = join_all((0..CROWD).map(|_| put(&log, "key", "1"))).await;
    let revisions: BTreeSet<_> = puts.iter().map(|position| position.revision).collect();
    assert_eq!(revisions.len(), CROWD);
}

/// What counts in revisions is written by nobody else's commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_under_leases_are_never_one_transaction() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let lease = log.grant(BOUND).await.unwrap();
    let leased = names(CROWD).into_iter().map(|key| {
        let flags = flags();
        let put = Transaction::new().when(&flags, key.clone(), Precondition::Absent);
        log.commit(put.put_leased(&flags, key, "1", lease.id))
    });
    let created = within("all are there", join_all(leased)).await;
    let revisions = created.into_iter().map(|created| created.unwrap().revision);
    assert_eq!(revisions.collect::<BTreeSet<_>>().len(), CROWD);
}

/// A server whose answers to some commits are held up for ever, and as many of those as are sent at once.
struct HeldUp {
    _server: EtcdServer,
    gateway: Gateway,
    log: EtcdLog,
}

impl HeldUp {
    async fn new() -> HeldUp {
        let server = EtcdServer::start(EtcdVersion::Reference).await;
        let address = ([127, 0, 0, 1], server.port()).into();
        let gateway = Gateway::start(address).await;
        let slow = Act::Delay(BOUND * 10);
        gateway.add(Rule::new(TXN, slow).carrying("held up"));
        let log = EtcdLog::builder().endpoint(gateway.endpoint());
        let log = log.deadline(BOUND * 10).connect().await.unwrap();
        put(&log, "start", "1").await;
        HeldUp {
            _server: server,
            gateway,
            log,
        }
    }

    /// Those that are held up.
    async fn first(&self) -> Vec<BoxFuture<'_, Result<Position>>> {
        let commits = (0..AT_ONCE).map(|number| {
            let put = a_put(&format!("held-{number}"), "held up");
            self.log.commit(put).boxed()
        });
        let mut commits: Vec<_> = commits.collect();
        for commit in &mut commits {
            assert!(poll!(commit).is_pending());
        }
        commits
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_long_for_what_others_are_not_told() {
    let held_up = HeldUp::new().await;
    let first = held_up.first().await;
    let free = names(CROWD);
    let created = timeout(BOUND / 2, create(&held_up.log, &free)).await;
    assert!(created.unwrap().iter().all(Result::is_ok));
    drop(first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_has_waited_in_vain_was_not_sent() {
    let held_up = HeldUp::new().await;
    let first = held_up.first().await;
    // Shorter than anybody waits for the answers of others.
    let hasty = a_put("hasty", "1").taking_at_most(Duration::from_millis(20));
    let answer = within("an answer", held_up.log.commit(hasty)).await;
    assert_eq!(*answer.unwrap_err().kind(), ErrorKind::Unavailable);
    let keys = names(CROWD);
    let mut others = create(&held_up.log, &keys).boxed();
    let mut dropped = held_up.log.commit(a_put("dropped", "1")).boxed();
    assert!(poll!(&mut others).is_pending() && poll!(&mut dropped).is_pending());
    drop(dropped);
    drop(first);
    assert!(others.await.iter().all(Result::is_ok));
    for key in ["hasty", "dropped"] {
        assert!(record(&held_up.log, key).await.is_none(), "{key} was sent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_leaves_his_turn_to_the_next() {
    let held_up = HeldUp::new().await;
    drop(held_up.first().await);
    put(&held_up.log, "later", "1").await;
    let delivered = || held_up.gateway.delivered(TXN);
    let before = delivered();
    let created = create(&held_up.log, &names(CROWD)).await;
    assert!(created.iter().all(Result::is_ok));
    let sent = delivered() - before;
    assert!(
        sent > AT_ONCE as u64,
        "{sent} transactions: none was sent at once"
    );
}

/// Those who are sent together are sent by the runtime of one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_runtime_that_has_ended() {
    let held_up = HeldUp::new().await;
    let log = &held_up.log;
    let first = held_up.first().await;
    let other = tokio::runtime::Runtime::new().unwrap();
    let commit = |number: usize| {
        log.commit(a_put(&format!("key-{number}"), "held up"))
            .boxed()
    };
    let mut commits: Vec<_> = (0..CROWD).map(commit).collect();
    let entered = other.enter();
    assert!(poll!(&mut commits[0]).is_pending());
    drop(entered);
    for commit in &mut commits[1..] {
        assert!(poll!(commit).is_pending());
    }
    drop(first);
    other.shutdown_background();
    held_up.gateway.heal();
    for told in within("answers", join_all(commits)).await {
        let is_unknown = |error: Error| *error.kind() == ErrorKind::Indeterminate;
        assert!(told.err().is_none_or(is_unknown));
    }
    put(log, "later", "1").await;
}

/// A server, two ways to it of which one is held up and the other is cut, and a client that uses the first.
async fn held_on_its_way() -> (TwoWays, EtcdLog) {
    let ways = TwoWays::to(EtcdServer::start(EtcdVersion::Reference).await).await;
    let log = hasty(ways.both()).await;
    ways.go_the_first(&log).await;
    ways.first.freeze();
    (ways, log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_takes_nobody_along_and_nothing_of_his_lands_after_a_later_commit() {
    let (ways, log) = held_on_its_way().await;
    let keys = names(CROWD);
    let (stay, leave): (Vec<_>, Vec<_>) = keys
        .into_iter()
        .enumerate()
        .partition(|(number, _)| number % 2 == 0);
    let [stay, leave] =
        [stay, leave].map(|them| them.into_iter().map(|(_, key)| key).collect::<Vec<_>>());
    let staying = stay.iter().map(|key| log.commit(a_put(key, "own")));
    let leaving = leave
        .iter()
        .map(|key| timeout(PATIENCE, try_create(&log, key, "late")));
    let later = async {
        let left = join_all(leaving).await;
        assert!(left.iter().all(Result::is_err));
        ways.second.heal();
        put(&log, "later", "1").await;
        for key in &leave {
            try_create(&ways.straight, key, "other").await.unwrap();
            delete(&ways.straight, key).await;
        }
        ways.deliver().await;
    };
    let (stayed, ()) = tokio::join!(join_all(staying), within("a later commit", later));
    assert!(stayed.iter().all(Result::is_ok), "{stayed:?}");
    ways.were_written(&leave, 1).await;
    ways.were_written(&stay, 1).await;
}

/// One that is delivered late, and would land then: after a later commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_of_several_has_given_up_is_not_waited_for_to_land() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let gateway = Gateway::start(([127, 0, 0, 1], server.port()).into()).await;
    let log = connect([gateway.endpoint()]).await;
    put(&log, "start", "1").await;
    let late = Act::Delay(PATIENCE * 10);
    gateway.add(Rule::new(TXN, late).carrying("slow").times(1));
    // The first ones go by themselves, and then the slow one goes together with who gives up.
    let staying = (0..CROWD).map(|number| {
        let value = if number < AT_ONCE { "own" } else { "slow" };
        let put = a_put(&format!("key-{number}"), value);
        within("an answer", log.commit(put))
    });
    let leaving = timeout(PATIENCE, try_create(&log, "given up", "1"));
    let later = async {
        let left = leaving.await;
        let later = put(&log, "later", "1").await;
        (left, later)
    };
    let (stayed, (left, later)) = tokio::join!(biased; join_all(staying), later);
    assert!(
        left.is_err() && stayed.iter().all(Result::is_ok),
        "{stayed:?}"
    );
    if let Some(landed) = record(&log, "given up").await {
        assert!(landed.modified < later.revision, "it landed late");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_been_written_is_told_to_all_of_them() {
    let (ways, log) = held_on_its_way().await;
    let commits = names(CROWD).into_iter().map(|key| {
        let put = a_put(&key, "1").taking_at_most(Duration::from_secs(5));
        within("an answer", log.commit(put))
    });
    for told in join_all(commits).await {
        assert_eq!(*told.unwrap_err().kind(), ErrorKind::Indeterminate);
    }
    ways.second.heal();
    let created = create(&log, &["new".to_owned()]).await;
    assert!(created.iter().all(Result::is_ok), "{created:?}");
}
