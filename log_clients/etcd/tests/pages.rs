//! A keyspace of many pages, whose bounds are guessed, is read whole and at one revision.
//!
//! Never looks at how it is cut: only at what comes of it.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::collections::BTreeMap;

use globe_etcd::EtcdLog;
use globe_log_client::{Keyspace, LogClient, Transaction};
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{PATIENCE, flags, on_each_version};

on_each_version! {
    a_keyspace_of_many_pages_is_read_whole_whatever_its_keys_look_like
}

async fn a_keyspace_of_many_pages_is_read_whole_whatever_its_keys_look_like(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    // So few to a page that more than four pages are soon reached.
    let builder = builder.page_size(2).deadline(PATIENCE);
    let log = builder.connect().await.unwrap();
    let names: BTreeMap<String, String> = names().map(|name| (name.clone(), name)).collect();
    fill(&log, &flags(), &names).await;
    for neighbour in ["flag", "flags-old", "flagship"] {
        fill(&log, &Keyspace::new(neighbour).unwrap(), &names).await;
    }
    let mut snapshot = log.snapshot(&flags()).await.unwrap();
    let mut found = BTreeMap::new();
    let mut round = 0;
    while let Some(page) = snapshot.next_page().await.unwrap() {
        for record in page {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let twice = found.insert(text(&record.key), text(&record.value));
            assert_eq!(twice, None, "read once");
        }
        round += 1;
        // What is written meanwhile belongs to a later revision.
        if round % 50 == 1 {
            let late = BTreeMap::from([(format!("late/{round}"), String::new())]);
            fill(&log, &flags(), &late).await;
        }
    }
    assert_eq!(found, names);
}

/// Numbers of one length and of any, folders of one level and of many, and characters of all lengths.
fn names() -> impl Iterator<Item = String> {
    (0..400u32).flat_map(|n| {
        [
            format!("service/{n:016x}/limit"),
            format!("{n}"),
            format!("{}{n}", "deep/".repeat(40)),
            format!("{}/{n}", "a".repeat(n as usize % 50)),
            format!("wide/{}", char::from_u32(n * 700).unwrap_or('\u{10ffff}')),
        ]
    })
}

async fn fill(log: &EtcdLog, keyspace: &Keyspace, names: &BTreeMap<String, String>) {
    let names: Vec<_> = names.iter().collect();
    for some in names.chunks(100) {
        let mut transaction = Transaction::new();
        for (name, value) in some {
            transaction = transaction.put(keyspace, (*name).clone(), (*value).clone());
        }
        log.commit(transaction).await.unwrap();
    }
}
