//! What stood at a key in the past.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_etcd::EtcdLog;
use globe_log_client::{ErrorKind, LogClient, Position, Record, Result};
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{answer, connect, delete, flags, on_each_version, put, when_reachable, within};

on_each_version! {
    a_record_is_found_as_it_stood_at_each_position
    forgotten_history_is_compacted_and_never_no_record
    a_position_of_another_life_is_refused
}

async fn stood(log: &EtcdLog, key: &'static str, at: Position) -> Result<Option<Record>> {
    within("a look back", log.record_at(&flags(), key.as_bytes(), at)).await
}

async fn value(log: &EtcdLog, at: Position) -> Option<String> {
    let record = stood(log, "key", at).await.unwrap()?;
    assert_eq!(record.key, "key");
    Some(String::from_utf8(record.value.to_vec()).unwrap())
}

async fn a_record_is_found_as_it_stood_at_each_position(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let before = put(&log, "other", "0").await;
    let first = put(&log, "key", "1").await;
    let between = put(&log, "other", "1").await;
    let second = put(&log, "key", "2").await;
    let gone = delete(&log, "key").await;
    let again = put(&log, "key", "3").await;
    let table = [
        (before, None),
        (first, Some("1")),
        (between, Some("1")),
        (second, Some("2")),
        (gone, None),
        (again, Some("3")),
        (
            Position::new(first.epoch, globe_log_client::Revision(0)),
            None,
        ),
    ];
    for (at, expected) in table {
        assert_eq!(value(&log, at).await.as_deref(), expected, "at {at}");
    }
    let record = stood(&log, "key", second).await.unwrap().unwrap();
    assert_eq!(record.created, first.revision);
    assert_eq!(record.modified, second.revision);
    // As a process does that has just been started.
    let fresh = connect([server.endpoint()]).await;
    assert_eq!(value(&fresh, second).await.as_deref(), Some("2"));
}

async fn forgotten_history_is_compacted_and_never_no_record(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let first = put(&log, "key", "1").await;
    let second = put(&log, "key", "2").await;
    delete(&log, "key").await;
    server.compact(second.revision.0).await;
    let forgotten = stood(&log, "key", first).await.unwrap_err();
    assert_eq!(forgotten.kind(), &ErrorKind::Compacted, "{forgotten}");
    assert_eq!(value(&log, second).await.as_deref(), Some("2"));
    server.compact(server.revision().await).await;
    let forgotten = stood(&log, "key", second).await.unwrap_err();
    assert_eq!(forgotten.kind(), &ErrorKind::Compacted, "{forgotten}");
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
