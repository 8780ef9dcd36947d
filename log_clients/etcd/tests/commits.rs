//! Commits that meet much, or more than a server takes: what is answered, how much is moved for it, and what is learned.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{
    Error, ErrorKind, LogClient, Position, Precondition, Result, Revision, Transaction,
};
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{connect, flags, hasty, on_each_version, put, truth, try_put, within};

on_each_version! {
    a_conflict_over_many_large_values_is_answered_and_moves_none_of_them
    a_server_that_takes_fewer_operations_is_learned_of
    a_server_that_takes_fewer_bytes_is_learned_of
    a_client_with_one_slot_commits_one_after_the_other
}

/// Bytes the server has sent to its clients.
async fn sent(server: &EtcdServer) -> f64 {
    server
        .metric("etcd_network_client_grpc_sent_bytes_total", "")
        .await
}

async fn a_conflict_over_many_large_values_is_answered_and_moves_none_of_them(
    version: EtcdVersion,
) {
    const COUNT: usize = 80;
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let large = "x".repeat(1_000_000);
    for number in 0..COUNT {
        put(&log, &format!("large-{number}"), &large).await;
    }
    let hasty = hasty([server.endpoint()]).await;
    hasty.head(&flags()).await.unwrap();
    let never = Precondition::At(Revision(1));
    let compare = (0..COUNT).fold(Transaction::new(), |transaction, number| {
        transaction.when(&flags(), format!("large-{number}"), never)
    });
    for transaction in [compare.clone(), compare.put(&flags(), "new", "1")] {
        let before = sent(&server).await;
        let refused = within("the answer", hasty.commit(transaction)).await;
        let moved = sent(&server).await - before;
        let error = refused.unwrap_err();
        let ErrorKind::Conflict(conflict) = error.kind() else {
            panic!("a conflict was expected: {error}");
        };
        assert_eq!(conflict.failed.len(), COUNT);
        assert!(
            conflict
                .failed
                .iter()
                .all(|failed| failed.found().is_some())
        );
        assert!(moved <= 65_536.0, "{moved} bytes for one lost conflict");
    }
}

/// Refused for its size, and says so of the limit that is known from then on.
fn refused_for_its_size(refused: Result<Position>, flag: &str) -> (usize, usize) {
    let error = refused.unwrap_err();
    let ErrorKind::TooLarge { limit, actual, .. } = *error.kind() else {
        panic!("too large was expected: {error}");
    };
    assert!(error.to_string().contains(flag), "{error}");
    (limit, actual)
}

fn puts(count: usize) -> Transaction {
    (0..count).fold(Transaction::new(), |transaction, number| {
        transaction.put(&flags(), format!("key-{number}"), "1")
    })
}

async fn a_server_that_takes_fewer_operations_is_learned_of(version: EtcdVersion) {
    let builder = EtcdServer::builder(version).flag("--max-txn-ops=20");
    let server = builder.start().await;
    let log = connect([server.endpoint()]).await;
    assert_eq!(log.capabilities().max_operations, 127);
    let refused = within("a refusal", log.commit(puts(100))).await;
    // One of the twenty is the fence's.
    assert_eq!(refused_for_its_size(refused, "--max-txn-ops"), (19, 100));
    assert_eq!(log.capabilities().max_operations, 19);
    assert!(truth(&server).await.is_empty(), "nothing was written");
    within("as many as it takes", log.commit(puts(19)))
        .await
        .unwrap();
    let again = within("a refusal", log.commit(puts(20))).await.unwrap_err();
    let kind = Error::too_large(19, 20, "").kind().clone();
    assert_eq!(again.kind(), &kind, "{again}");
}

async fn a_server_that_takes_fewer_bytes_is_learned_of(version: EtcdVersion) {
    const TAKES: usize = 100_000;
    let flag = format!("--max-request-bytes={TAKES}");
    let server = EtcdServer::builder(version).flag(flag).start().await;
    // The first is more than the server reads at all; the second it reads, and refuses.
    for size in [1_000_000, 200_000] {
        let log = connect([server.endpoint()]).await;
        let before = server.revision().await;
        let refused = try_put(&log, "large", &"x".repeat(size)).await;
        let (limit, actual) = refused_for_its_size(refused, "--max-request-bytes");
        let capabilities = log.capabilities();
        assert_eq!((limit, actual), (capabilities.max_value_bytes, size));
        let learned = capabilities.max_transaction_bytes;
        assert!((TAKES / 4 * 3..TAKES).contains(&learned), "{learned}");
        assert_eq!(server.revision().await, before, "nothing was written");
        put(&log, "fits", &"x".repeat(limit)).await;
    }
}

async fn a_client_with_one_slot_commits_one_after_the_other(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    let builder = builder.fence_slots(1).fence_ttl(Duration::from_secs(10));
    let log = builder.deadline(rig::PATIENCE).connect().await.unwrap();
    let commits = (0..20).map(|number| {
        let log = log.clone();
        async move { put(&log, &format!("key-{number}"), "1").await }
    });
    futures::future::join_all(commits).await;
    assert_eq!(truth(&server).await.len(), 20);
    let slots = server.etcdctl(&["get", "--prefix", ".globe/writer/", "--keys-only"]);
    assert_eq!(slots.await.split_whitespace().count(), 1);
}
