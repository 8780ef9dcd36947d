//! What stood at a key in the past, where the suite of the contract does not look: at the very beginning, and at a position
//! that the log has passed again in another life.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_etcd::EtcdLog;
use globe_log_client::{ErrorKind, LogClient, Position, Revision};
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{answer, connect, flags, on_each_version, put, when_reachable, within};

on_each_version! {
    nothing_stood_there_before_the_first_commit
    a_position_of_another_life_is_refused
}

async fn value(log: &EtcdLog, at: Position) -> Option<String> {
    let keyspace = flags();
    let record = within("a look back", log.record_at(&keyspace, b"key", at));
    let record = record.await.unwrap()?;
    Some(String::from_utf8(record.value.to_vec()).unwrap())
}

/// Servers take the revision 0 for the newest one.
async fn nothing_stood_there_before_the_first_commit(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let first = put(&log, "key", "1").await;
    let before = Position::new(first.epoch, Revision(0));
    assert_eq!(value(&log, before).await, None);
    assert_eq!(value(&log, first).await.as_deref(), Some("1"));
}

async fn a_position_of_another_life_is_refused(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    put(&log, "key", "1").await;
    let backup = server.save_snapshot().await;
    put(&log, "key", "2").await;
    let lost = put(&log, "key", "3").await;
    server.restore_snapshot(&backup, None).await;
    // The restored history has another record at that revision.
    let another = connect([server.endpoint()]).await;
    while put(&another, "key", "new").await.revision <= lost.revision {}
    let keyspace = flags();
    let refused = answer("a refusal", || log.record_at(&keyspace, b"key", lost)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::EpochChanged, "{refused}");
    let now = when_reachable("the head", || log.head(&keyspace)).await;
    assert_eq!(value(&log, now).await.as_deref(), Some("new"));
}
