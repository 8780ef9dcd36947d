//! What has changed is told exactly, and little else is sent.
//!
//! Never takes a difference's word for it: what comes of it is compared with a snapshot, and what was sent is counted on the
//! wire.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::collections::BTreeMap;

use etcd_client::Client;
use globe_etcd::EtcdLog;
use globe_log_client::{
    Bytes, Change, ErrorKind, Keyspace, KnownKeys, LogClient, Position, Record, Transaction,
};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy};
use rig::{
    PATIENCE, as_narrow, connect, delete, fill, flags, guard, on_each_version, put, received,
    within,
};

const MIB: usize = 1024 * 1024;

on_each_version! {
    a_hundred_changes_in_a_hundred_thousand_keys_cost_a_twentieth_of_a_snapshot
    parts_that_have_filled_and_parts_that_have_not_make_one_difference
}

/// A keyspace as somebody knows it.
#[derive(Clone)]
struct Known {
    position: Position,
    records: BTreeMap<Bytes, Record>,
}

impl Known {
    async fn of(log: &EtcdLog, keyspace: &Keyspace) -> Known {
        let snapshot = within("a snapshot", log.snapshot(keyspace)).await.unwrap();
        let position = snapshot.position();
        let records = within("its pages", snapshot.collect()).await.unwrap();
        let records = records.into_iter().map(|one| (one.key.clone(), one));
        Known {
            position,
            records: records.collect(),
        }
    }

    /// Takes in what has changed. How many changes that were.
    async fn take_in(&mut self, log: &EtcdLog, keyspace: &Keyspace) -> usize {
        let keys = KnownKeys::new(self.records.keys().cloned().collect()).unwrap();
        let difference = log.difference(keyspace, self.position, keys);
        let difference = within("a difference", difference).await.unwrap();
        self.position = difference.position();
        let changes = within("its pages", difference.collect()).await.unwrap();
        for change in &changes {
            match change {
                Change::Put(record) => {
                    self.records.insert(record.key.clone(), record.clone());
                }
                gone => assert!(self.records.remove(gone.key()).is_some(), "{gone:?}"),
            }
        }
        changes.len()
    }

    /// The same, which then is what there is.
    async fn catch_up(&mut self, log: &EtcdLog, keyspace: &Keyspace) -> usize {
        let changes = self.take_in(log, keyspace).await;
        assert!(self.records == Known::of(log, keyspace).await.records);
        changes
    }
}

async fn a_hundred_changes_in_a_hundred_thousand_keys_cost_a_twentieth_of_a_snapshot(
    version: EtcdVersion,
) {
    let server = EtcdServer::start(version).await;
    let straight = connect([server.endpoint()]).await;
    fill(&straight, 100_000).await;
    let proxy = Proxy::start(server.port()).await;
    let log = connect([proxy.endpoint()]).await;
    let sent = || proxy.requested() + proxy.replied();
    let before = sent();
    let mut known = Known::of(&log, &flags()).await;
    let snapshot = sent() - before;
    for number in (0..100).map(|number| number * 997) {
        let key = format!("{number:06}");
        match number % 3 {
            0 => delete(&straight, &key).await,
            _ => put(&straight, &key, &"w".repeat(100)).await,
        };
    }
    let head = straight.head(&flags()).await.unwrap();
    server.compact(head.revision.0).await;
    let before = sent();
    assert_eq!(known.take_in(&log, &flags()).await, 100);
    let difference = sent() - before;
    assert!(
        difference * 20 <= snapshot,
        "{difference} bytes, and {snapshot} for a snapshot"
    );
    assert!(known.records == Known::of(&straight, &flags()).await.records);
}

/// Keys of several windows, with room between them.
async fn write(log: &EtcdLog, keyspace: &Keyspace, keys: impl Iterator<Item = String>) {
    let keys: Vec<_> = keys.collect();
    for keys in keys.chunks(100) {
        let puts = keys.iter().fold(Transaction::new(), |puts, key| {
            puts.put(keyspace, key.clone(), format!("{}", keys.len()))
        });
        within("a commit", log.commit(puts)).await.unwrap();
    }
}

async fn parts_that_have_filled_and_parts_that_have_not_make_one_difference(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    let log = builder.page_size(50).deadline(PATIENCE).connect();
    let log = log.await.unwrap();
    for keyspace in ["flag", "flags", "flags-", "flagship"] {
        let keyspace = Keyspace::new(keyspace).unwrap();
        write(&log, &keyspace, (0..5000).map(|n| format!("key/{n:05}"))).await;
    }
    let mut known = Known::of(&log, &flags()).await;
    let mut nothing = Known {
        records: BTreeMap::new(),
        position: known.position,
    };
    // More than was known in the first and in the last part, much in one window, and rewrites of all in some.
    write(&log, &flags(), (0..3000).map(|n| format!("before/{n}"))).await;
    write(&log, &flags(), (0..9000).map(|n| format!("later/{n}"))).await;
    write(&log, &flags(), (0..200).map(|n| format!("key/02000/{n}"))).await;
    write(&log, &flags(), (3000..3500).map(|n| format!("key/{n:05}"))).await;
    for gone in [
        "key/00000",
        "key/00127",
        "key/00128",
        "key/03100",
        "key/04999",
    ] {
        delete(&log, gone).await;
    }
    delete(&log, "key/02500").await;
    put(&log, "key/02500", "again").await;
    let head = log.head(&flags()).await.unwrap();
    server.compact(head.revision.0).await;
    let changes = known.catch_up(&log, &flags()).await;
    assert_eq!(changes, 3000 + 9000 + 200 + 500 + 4 + 1);
    let all = nothing.catch_up(&log, &flags()).await;
    assert_eq!(all, 5000 + 12_200 - 5);
    assert_eq!(known.catch_up(&log, &flags()).await, 0);
    // A tail goes on from there.
    let mut tail = log.tail(&flags(), known.position).await.unwrap();
    let written = put(&log, "key/00001", "after").await;
    let batch = within("a batch", tail.next()).await.unwrap();
    assert_eq!(batch.revision, written.revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_has_filled_is_read_in_no_more_pages_than_a_snapshot() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    let log = builder.page_size(50).deadline(PATIENCE).connect();
    let log = log.await.unwrap();
    let known = (0..3000).map(|n| format!("service/web/{n:05}"));
    write(&log, &flags(), known).await;
    let mut known = Known::of(&log, &flags()).await;
    // Folders of a few, as deep as the key that ends the part is long.
    let new = (0..20_000).map(|n| format!("service/api/{:05}/{}", n / 5, n % 5));
    write(&log, &flags(), new).await;
    let requests = async || received(&server, "Txn").await;
    let begun = requests().await;
    assert_eq!(known.take_in(&log, &flags()).await, 20_000);
    let taken_in = requests().await;
    Known::of(&log, &flags()).await;
    let (difference, snapshot) = (taken_in - begun, requests().await - taken_in);
    assert!(
        difference <= snapshot + 20.0,
        "{difference} requests, and {snapshot} for a snapshot"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_few_operations_is_asked_for_less() {
    let server = EtcdServer::builder(EtcdVersion::Reference).flag("--max-txn-ops=10");
    let server = server.start().await;
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    // It has to find out by itself.
    let log = builder.deadline(PATIENCE).connect().await.unwrap();
    let few = EtcdLog::builder().endpoint(server.endpoint());
    let few = few.max_operations(8).deadline(PATIENCE).connect();
    let few = few.await.unwrap();
    for start in 0..500 {
        let keys = (start * 8..start * 8 + 8).map(|n| format!("key/{n:05}"));
        write_few(&few, keys).await;
    }
    let mut known = Known::of(&log, &flags()).await;
    let mut also_known = known.clone();
    for number in (0..4000).step_by(150) {
        put(&few, &format!("key/{number:05}"), "after").await;
        delete(&few, &format!("key/{:05}", number + 1)).await;
    }
    assert_eq!(known.catch_up(&log, &flags()).await, 2 * 27);
    assert_eq!(also_known.catch_up(&few, &flags()).await, 2 * 27);
}

async fn write_few(log: &EtcdLog, keys: impl Iterator<Item = String>) {
    let puts = keys.fold(Transaction::new(), |puts, key| puts.put(&flags(), key, "1"));
    within("a commit", log.commit(puts)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_do_not_fit_in_one_answer_come_in_several_and_one_that_never_fits_is_not_there()
{
    let server = EtcdServer::builder(EtcdVersion::Reference);
    let server = server.flag("--max-request-bytes=134217728").start().await;
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    let log = builder
        .max_message_bytes(4 * MIB)
        .deadline(PATIENCE)
        .connect();
    let log = log.await.unwrap();
    for number in 0..40 {
        put(&log, &format!("{number:03}"), "before").await;
    }
    let mut known = Known::of(&log, &flags()).await;
    let mut client = Client::connect([server.endpoint()], None).await.unwrap();
    for number in 0..40 {
        // One is over the limit, and so is a new one.
        let size = if number == 20 { 5 * MIB } else { MIB };
        let put = client.put(format!("flags/{number:03}"), vec![b'x'; size], None);
        within("a put", put).await.unwrap();
    }
    let put_new = client.put("flags/020/new", vec![b'x'; 5 * MIB], None);
    within("a put", put_new).await.unwrap();
    assert_eq!(known.catch_up(&log, &flags()).await, 40);
    assert!(!known.records.contains_key(&b"020"[..]));
    assert_eq!(known.records.len(), 39);
    assert!(log.last_failure().is_none(), "no member is to blame");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_globes_own_are_in_no_difference_and_hide_none() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let inner = EtcdLog::builder().endpoint(server.endpoint());
    let inner = inner.namespace("prod/eu").deadline(PATIENCE).connect();
    let inner = inner.await.unwrap();
    let (outer, prod) = (
        connect([server.endpoint()]).await,
        Keyspace::new("prod").unwrap(),
    );
    write(
        &outer,
        &prod,
        ["a", "b", "f", "z"].map(str::to_owned).into_iter(),
    )
    .await;
    let mut nothing = Known::of(&outer, &prod).await;
    nothing.records.clear();
    put(&inner, "x", "1").await;
    let mut known = Known::of(&outer, &prod).await;
    let gone = Transaction::new().delete(&prod, "f");
    outer.commit(gone).await.unwrap();
    put(&inner, "x", "2").await;
    put(&inner, "y", "1").await;
    assert_eq!(known.catch_up(&outer, &prod).await, 3);
    assert_eq!(nothing.catch_up(&outer, &prod).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_for_the_keyspace_alone_is_enough_and_one_without_is_denied() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let root = connect([server.endpoint()]).await;
    fill(&root, 400).await;
    guard(&mut server).await;
    let log = as_narrow(server.endpoint()).connect().await.unwrap();
    let mut known = Known::of(&log, &flags()).await;
    put(&log, "000200", "after").await;
    delete(&log, "000300").await;
    assert_eq!(known.catch_up(&log, &flags()).await, 2);
    let other = Keyspace::new("other").unwrap();
    let denied = log.difference(&other, known.position, KnownKeys::default());
    let denied = within("a refusal", denied).await.unwrap_err();
    assert_eq!(denied.kind(), &ErrorKind::Denied, "{denied}");
}
