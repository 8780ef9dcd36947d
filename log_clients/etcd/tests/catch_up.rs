//! More than one message holds: long absences, large commits, large records.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_etcd::EtcdLog;
use globe_log_client::{LogClient, Transaction};
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{Copy, connect, converges, flags, on_each_version, put, within};

const KIB: usize = 1024;

on_each_version! {
    twenty_mebibytes_missed_arrive_in_order
    large_commits_stay_whole_though_the_server_splits_them
    a_page_too_large_for_one_answer_is_asked_for_in_parts
}

async fn twenty_mebibytes_missed_arrive_in_order(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    copy.look_away();
    let mut written = Vec::new();
    for number in 0..110 {
        // Some have a mebibyte.
        let size = if number % 11 == 0 { 1024 } else { 100 };
        let (key, value) = (format!("{}", number % 50), "x".repeat(size * KIB));
        written.push(put(&log, &key, &value).await.revision);
    }
    let mut seen = Vec::new();
    while seen.len() < written.len() {
        let batch = within("a batch", copy.step()).await.unwrap();
        if !batch.is_progress() {
            assert_eq!(batch.changes.len(), 1);
            seen.push(batch.revision);
        }
    }
    assert_eq!(seen, written);
    converges(&mut copy, &log, &server).await;
    assert_eq!((copy.breaks, copy.resyncs), (0, 0));
}

/// A commit of 120 records of 9 KiB.
async fn large_commit(log: &EtcdLog, mark: &str) -> globe_log_client::Position {
    let value = mark.repeat(9 * KIB);
    let all = (0..120).fold(Transaction::new(), |all, number| {
        all.put(&flags(), format!("{number:03}"), value.clone())
    });
    within("a commit", log.commit(all)).await.unwrap()
}

async fn large_commits_stay_whole_though_the_server_splits_them(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    copy.look_away();
    let mut missed = Vec::new();
    for mark in ["a", "b", "c", "d", "e", "f"] {
        missed.push(large_commit(&log, mark).await.revision);
    }
    let mut seen = Vec::new();
    while seen.len() < missed.len() {
        let batch = within("a batch", copy.step()).await.unwrap();
        if batch.is_progress() {
            continue;
        }
        assert_eq!(batch.changes.len(), 120, "revision {}", batch.revision);
        let marks = copy
            .values()
            .into_values()
            .map(|value| value.chars().next());
        let marks: std::collections::BTreeSet<_> = marks.collect();
        assert_eq!(marks.len(), 1, "all of one commit");
        seen.push(batch.revision);
    }
    assert_eq!(seen, missed);
    assert_eq!((copy.breaks, copy.resyncs), (0, 0));
}

async fn a_page_too_large_for_one_answer_is_asked_for_in_parts(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    // One answer with all of them would be larger than what this client takes.
    let value = "x".repeat(1000 * KIB);
    let count = 70;
    for number in 0..count {
        put(&log, &format!("{number:03}"), &value).await;
    }
    let mut snapshot = within("a snapshot", log.snapshot(&flags())).await.unwrap();
    let mut keys = Vec::new();
    while let Some(page) = within("a page", snapshot.next_page()).await.unwrap() {
        assert!(page.iter().all(|record| record.value.len() == value.len()));
        keys.extend(page.into_iter().map(|record| record.key));
    }
    let all: Vec<_> = (0..count).map(|number| format!("{number:03}")).collect();
    assert_eq!(keys, all);
}
