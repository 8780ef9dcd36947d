//! What maps move that have seen most of it before, on a real server; and one that starts while the server is down.
//!
//! Bytes are counted on the way: those that the server sends.

use globe::{Globe, Offline, Phase, ResyncReason};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, Weather, wait_until};
use tempfile::TempDir;

use crate::node::{BOUND, within};

const ENTRIES: usize = 100_000;

type Texts = Globe<String, String>;

/// A hundred bytes, in JSON.
fn value(number: usize) -> String {
    format!("{number:098}")
}

fn key(number: usize) -> String {
    format!("service/{number:08}")
}

/// A map as another process of the same host begins it.
async fn begin(url: &str, folder: &TempDir) -> Texts {
    let log = globe::connect(url).await.unwrap();
    let offline = Offline::in_folder(folder.path());
    let opened = Globe::builder(log, "texts").offline(offline).open();
    within("a map", opened).await.unwrap()
}

/// A server with many entries, who writes them, and the copy of a map that has read them over a way that counts.
struct Stage {
    server: EtcdServer,
    writer: Texts,
    folder: TempDir,
    /// What reading all of them moves.
    hydration: u64,
    changed: usize,
}

impl Stage {
    async fn new() -> Stage {
        let server = EtcdServer::start(EtcdVersion::Reference).await;
        let writer = within("a map", Texts::connect(&server.url(), "texts")).await;
        let writer = writer.unwrap().with_deadline(BOUND);
        let all = (0..ENTRIES).map(|number| (key(number), value(number)));
        within("all is written", writer.put_all(all)).await.unwrap();
        let mut stage = Stage {
            server,
            writer,
            folder: tempfile::tempdir().unwrap(),
            hydration: 0,
            changed: 0,
        };
        let (proxy, map) = stage.map().await;
        assert_eq!(map.len(), ENTRIES);
        map.close().await;
        stage.hydration = proxy.replied();
        stage
    }

    async fn map(&self) -> (Proxy, Texts) {
        let proxy = Proxy::start(self.server.port()).await;
        let url = format!("etcd://127.0.0.1:{}", proxy.port());
        (proxy, begin(&url, &self.folder).await)
    }

    /// A hundred others: changed, created, deleted.
    async fn change(&mut self) {
        for _ in 0..100 {
            self.changed += 1;
            let there = key(self.changed * 97);
            match self.changed % 4 {
                0 => drop(self.writer.delete(there.as_str()).await.unwrap()),
                1 => drop(self.writer.put(there + "/new", value(1)).await.unwrap()),
                _ => drop(self.writer.put(there, value(self.changed)).await.unwrap()),
            }
        }
    }

    /// The map shows what there is, and has moved no more than a part of what reading all of it moves.
    async fn is_there(&self, map: &Texts, moved: impl Fn() -> u64, part: u64) {
        within("it is live", map.sync()).await.unwrap();
        let (its, others) = (map.view(), self.writer.view());
        assert!(its.diff(&others).is_empty());
        assert_eq!(its.len(), others.len());
        let (moved, hydration) = (moved(), self.hydration);
        assert!(
            moved * part <= hydration,
            "{moved} bytes, beside {hydration}"
        );
    }

    async fn forget(&self) {
        let head = self.server.revision().await;
        self.server.compact(head).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_entries_only_what_has_changed_is_moved_again() {
    let mut stage = Stage::new().await;

    // A restart, while the server remembers what came in between: it is tailed.
    stage.change().await;
    let (proxy, map) = stage.map().await;
    stage.is_there(&map, || proxy.replied(), 100).await;
    assert_eq!(map.status().resyncs, 0);
    map.close().await;

    // Another one, when the server has forgotten it.
    stage.change().await;
    stage.forget().await;
    let (proxy, map) = stage.map().await;
    stage.is_there(&map, || proxy.replied(), 10).await;
    assert_eq!(map.status().resyncs, 1);

    // And without one.
    proxy.set(Weather::cut());
    stage.change().await;
    stage.forget().await;
    let before = proxy.replied();
    proxy.set(Weather::default());
    stage.is_there(&map, || proxy.replied() - before, 10).await;
    assert_eq!(map.status().resyncs, 2);
    map.close().await;

    // The copy has gone along with all of it.
    let (proxy, map) = stage.map().await;
    stage.is_there(&map, || proxy.replied(), 100).await;
    assert_eq!(map.status().resyncs, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_begins_while_the_server_is_down_and_follows_it_when_it_is_back() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let folder = tempfile::tempdir().unwrap();
    let map = begin(&server.url(), &folder).await;
    map.put("key", "before".to_owned()).await.unwrap();
    map.close().await;
    drop(map);
    server.kill();

    let map = begin(&server.url(), &folder).await;
    let shown = map.get("key");
    assert_eq!(shown.as_deref().map(String::as_str), Some("before"));
    assert!(map.status().from_copy);
    server.restart().await;
    let is_live = || async { map.status().phase == Phase::Live };
    wait_until("it is live", BOUND, is_live).await;
    let written = map.put("key", "after".to_owned());
    within("a put", written).await.unwrap();
    assert!(!map.status().from_copy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_under_the_same_name_that_nobody_saw_is_found_by_who_begins_with_a_copy() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let folder = tempfile::tempdir().unwrap();
    let map = begin(&server.url(), &folder).await;
    map.put("changed", "before".to_owned()).await.unwrap();
    map.put("deleted", "before".to_owned()).await.unwrap();
    let backup = server.save_snapshot().await;
    map.put("changed", "undone".to_owned()).await.unwrap();
    map.put("created", "undone".to_owned()).await.unwrap();
    let copied = map.delete("deleted").await.unwrap().position();
    map.close().await;
    drop(map);

    server.restore_snapshot(&backup, None).await;
    // What nothing brings that comes after the copy.
    server.etcdctl(&["put", "texts/new", "\"after\""]).await;
    while server.revision().await <= copied.revision.0 + 1 {
        server.etcdctl(&["put", "elsewhere", "value"]).await;
    }
    let map = begin(&server.url(), &folder).await;
    within("it is live", map.sync()).await.unwrap();
    let fresh = Texts::connect(&server.url(), "texts").await.unwrap();
    within("the other as well", fresh.sync()).await.unwrap();
    let content = |map: &Texts| -> Vec<(String, String)> {
        let view = map.view();
        let entries = view.iter();
        let each = entries.map(|(key, entry)| (key.clone(), entry.value().to_string()));
        each.collect()
    };
    let expected = [
        ("changed", "before"),
        ("deleted", "before"),
        ("new", "after"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(content(&fresh), expected);
    assert_eq!(content(&map), expected);
    let (here, status) = (map.position().unwrap(), map.status());
    assert_eq!(here.epoch, copied.epoch, "by its name nobody knows it");
    assert_eq!(status.last_resync, Some(ResyncReason::EpochChanged));
    assert_eq!((status.resyncs, status.violations), (1, 0));
}
