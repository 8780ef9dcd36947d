//! A node of a test: a map of numbers, and a watch of it that is folded and checked at every step.
//!
//! Never waits without a bound.

use std::collections::BTreeMap;
use std::time::Duration;

use globe::{EtcdLog, Globe, Watch};
use globe_test_support::EtcdServer;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// How long anything may take before a test is broken.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) type Numbers = Globe<String, u64>;
pub(crate) type Contents = BTreeMap<String, u64>;

pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, work).await {
        Ok(output) => output,
        Err(_) => panic!("not within {BOUND:?}: {what}"),
    }
}

/// A map on a log of its own, as in another process.
pub(crate) async fn node(url: &str) -> Numbers {
    within("a map", Globe::connect(url, "flags")).await.unwrap()
}

/// Many maps of one log, each of a keyspace of its own.
pub(crate) async fn many(log: &EtcdLog, count: usize) -> Vec<Numbers> {
    let mut maps = Vec::new();
    for number in 0..count {
        let keyspace = format!("map-{number}");
        let open = Globe::open(log.clone(), &keyspace);
        maps.push(within("a map", open).await.unwrap());
    }
    maps
}

/// How many messages the server was sent.
pub(crate) async fn asked(server: &EtcdServer) -> f64 {
    let name = "grpc_server_msg_received_total";
    server.metric(name, "etcdserverpb").await
}

/// Where the other process finds the server.
pub(crate) const TOLD: &str = "GLOBE_TEST_URL";

/// Plays a part of a test in a process of its own.
pub(crate) async fn plays(part: &mut Command, server: &EtcdServer) {
    part.env(TOLD, server.url()).kill_on_drop(true);
    let output = within("the other process", part.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let is_done = output.status.success() && said.contains("1 passed");
    assert!(is_done, "{said}");
}

/// Waits until the map holds what a predicate asks for.
pub(crate) async fn holds(map: &Numbers, what: &str, predicate: impl FnMut(&Contents) -> bool) {
    let mut predicate = predicate;
    let wanted = map.wait_for(|view| predicate(&contents_of(view)));
    within(what, wanted).await.unwrap();
}

pub(crate) fn contents(map: &Numbers) -> Contents {
    contents_of(&map.view())
}

fn contents_of(view: &globe::View<String, u64>) -> Contents {
    let entries = view.iter();
    entries
        .map(|(key, entry)| (key.clone(), **entry.value()))
        .collect()
}

/// What the server holds below `flags/`, as its own tool says.
pub(crate) async fn truth(server: &EtcdServer) -> Contents {
    let lines = server.etcdctl(&["get", "--prefix", "flags/"]).await;
    let lines: Vec<&str> = lines.lines().collect();
    let entries = lines.chunks(2).map(|pair| {
        let key = pair[0].strip_prefix("flags/").unwrap();
        (key.to_owned(), pair[1].parse().unwrap())
    });
    entries.collect()
}

/// Waits until the server can be asked, and the map shows all that was committed.
pub(crate) async fn synced(map: &Numbers) {
    let sync = async { while map.sync().await.is_err() {} };
    within("a sync", sync).await;
}

/// What a watch adds up to. Each of its changes must begin where the one before it ended.
pub(crate) struct Fold {
    folding: JoinHandle<Contents>,
}

impl Fold {
    pub(crate) fn of(map: &Numbers) -> Fold {
        Fold {
            folding: tokio::spawn(fold(map.watch())),
        }
    }

    /// Closes the map: its watch has shown exactly what it holds.
    pub(crate) async fn ends_exact(self, map: &Numbers) {
        map.close().await;
        let folded = within("the end of the watch", self.folding).await;
        assert_eq!(folded.unwrap(), contents(map));
    }
}

async fn fold(mut watch: Watch<String, u64>) -> Contents {
    let mut folded = contents_of(&watch.catch_up());
    while let Some(changes) = watch.next().await {
        for change in changes.iter() {
            let before = folded.get(change.key()).copied();
            let old = change.old_value().map(|value| **value);
            assert_eq!(old, before, "{} follows from what was shown", change.key());
            match change.new_value() {
                Some(value) => folded.insert(change.key().clone(), **value),
                None => folded.remove(change.key()),
            };
        }
    }
    folded
}
