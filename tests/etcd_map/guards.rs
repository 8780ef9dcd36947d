//! A guarded map on a real server: a prefix that somebody deletes, and a server that comes back empty.
//!
//! What is withheld is tried on the memory log: here it is who takes it away.

use globe::{Globe, Guard, ResyncReason, Withheld};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};

use crate::node::{BOUND, within};

type Numbers = Globe<String, u64>;

/// A guarded map of a hundred entries, and who wrote them.
async fn filled(server: &EtcdServer) -> (Numbers, Numbers) {
    let writer = within("a map", Numbers::connect(&server.url(), "numbers")).await;
    let writer = writer.unwrap();
    let all = (0..100).map(|number| (format!("{number:03}"), number));
    within("all is written", writer.put_all(all)).await.unwrap();
    let log = globe::connect(&server.url()).await.unwrap();
    let guard = Guard::hold().until_accepted();
    let opened = Globe::builder(log, "numbers").guard(guard).open();
    let map: Numbers = within("a map", opened).await.unwrap();
    assert_eq!(map.len(), 100);
    (map, writer)
}

async fn withheld(map: &Numbers, entries: usize) -> Withheld {
    let holds = || async {
        let withheld = map.status().withheld;
        withheld.is_some_and(|withheld| withheld.entries == entries)
    };
    wait_until("it is withheld", BOUND, holds).await;
    map.status().withheld.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_that_somebody_deletes_is_withheld_until_it_is_there_again() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let (map, writer) = filled(&server).await;
    within("all is deleted", writer.clear()).await.unwrap();
    let alert = withheld(&map, 0).await;
    assert_eq!(
        (alert.gone, alert.is_new_epoch, map.len()),
        (100, false, 100)
    );
    let mut alerts = map.watch_withheld();
    let all = (0..100).map(|number| (format!("{number:03}"), number));
    within("it is put right", writer.put_all(all))
        .await
        .unwrap();
    assert_eq!(within("it is over", alerts.next()).await, Some(None));
    within("it is live", map.sync()).await.unwrap();
    assert!(map.view().diff(&writer.view()).is_empty());

    // Through the map itself it passes.
    within("all is deleted", map.clear()).await.unwrap();
    assert_eq!((map.len(), map.status().withheld), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_empty_is_withheld_until_somebody_accepts_that() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let (map, writer) = filled(&server).await;
    writer.close().await;
    server.wipe().await;
    let log = globe::connect(&server.url()).await.unwrap();
    let other: Numbers = within("a map", Globe::open(log, "numbers")).await.unwrap();
    within("a put", other.put("new", 1)).await.unwrap();
    let alert = withheld(&map, 1).await;
    assert_eq!(
        (alert.gone, alert.is_new_epoch, map.len()),
        (100, true, 100)
    );
    let mut alerts = map.watch_withheld();
    assert!(map.accept_withheld());
    assert_eq!(within("it is over", alerts.next()).await, Some(None));
    within("it is live", map.sync()).await.unwrap();
    assert_eq!((map.len(), map.get("new").as_deref()), (1, Some(&1)));
    assert_eq!(map.status().last_resync, Some(ResyncReason::EpochChanged));
    within("a put", map.put("newer", 1)).await.unwrap();
}
