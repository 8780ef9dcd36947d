//! Writes whose callers gave up, of a map that writes nothing more.

use std::time::Duration;

use globe::EtcdLog;
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, wait_until};
use tokio::time::timeout;

use crate::node::{BOUND, Numbers, truth, within};

/// How many writes are given up, and how many slots they have: four are sent by themselves, and the others together.
const MANY: u64 = 6;
const SLOTS: usize = 5;

/// How many of this log's writers' slots have ever been written.
async fn slots(server: &EtcdServer) -> usize {
    let keys = ["get", "--prefix", ".globe/writer/", "--keys-only"];
    let keys = server.etcdctl(&keys).await;
    keys.lines().filter(|line| !line.is_empty()).count()
}

/// What it gave up waits in a connection that is cut off. Nobody but its prober talks to the log after that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_that_writes_nothing_more_takes_back_what_its_callers_gave_up() {
    for version in EtcdVersion::ALL {
        let server = EtcdServer::start(version).await;
        let first = Proxy::start(server.port()).await;
        let second = Proxy::start(server.port()).await;
        let both = [first.endpoint(), second.endpoint()];
        second.cut();
        let log = EtcdLog::connect(both).await.unwrap();
        let map = Numbers::builder(log, "flags").open().await.unwrap();
        within("a write", map.put("before", 1)).await.unwrap();
        first.freeze();
        let creates = (0..MANY).map(|number| {
            let create = map.create(format!("late-{number}"), number);
            timeout(Duration::from_millis(300), create)
        });
        let given_up = futures::future::join_all(creates).await;
        assert!(given_up.iter().all(Result::is_err), "{given_up:?}");
        second.heal();
        wait_until("they are taken back", BOUND, || async {
            slots(&server).await >= SLOTS
        })
        .await;
        for number in 0..MANY {
            let key = format!("flags/late-{number}");
            server.etcdctl(&["put", &key, "0"]).await;
            server.etcdctl(&["del", &key]).await;
        }
        first.heal();
        let late = EtcdLog::connect([first.endpoint()]).await.unwrap();
        let late = Numbers::builder(late, "flags").open().await.unwrap();
        for number in 0..20 {
            within("a write", late.put("after", number)).await.unwrap();
        }
        let left = truth(&server).await;
        assert!(!left.keys().any(|key| key.starts_with("late")), "{left:?}");
    }
}
