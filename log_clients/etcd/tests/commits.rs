//! Commits that meet much, or more than a server takes: what is answered, how much is moved for it, and what is learned.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_log_client::{ErrorKind, LogClient, Precondition, Revision, Transaction};
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{connect, flags, hasty, on_each_version, put, within};

on_each_version! {
    a_conflict_over_many_large_values_is_answered_and_moves_none_of_them
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
        assert!(conflict.failed.iter().all(|failed| failed.found.is_some()));
        assert!(moved <= 65_536.0, "{moved} bytes for one lost conflict");
    }
}
