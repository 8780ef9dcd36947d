//! What the session does about its entries while it is live: what others do to them, and what its own process does.

use std::time::Duration;

use futures::FutureExt;
use globe::log_client::Transaction;
use globe::{Globe, LogClient, SessionEvent};
use tokio::time::sleep;

use crate::rig::{fails_with, keyspace, numbers, until, within};
use crate::{Rig, TTL, give_up};

#[tokio::test(start_paused = true)]
async fn an_entry_stands_under_a_lease_of_its_session() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    let entry = rig.map.get_entry("a").unwrap();
    assert!(rig.session.owns(&entry));
    rig.other.put("b", 2).await.unwrap();
    until("it is seen", || rig.map.contains_key("b")).await;
    assert!(!rig.session.owns(&rig.map.get_entry("b").unwrap()));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_deletes_is_put_back_with_its_newest_value() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.map.update("a", |_| 2).await.unwrap();
    for _ in 0..5 {
        rig.other.sync().await.unwrap();
        rig.other.delete("a").await.unwrap();
        rig.shows(&[("a", 2)]).await;
        assert!(rig.session.owns(&rig.other.get_entry("a").unwrap()));
    }
    rig.session.close().await.unwrap();
    let closed = SessionEvent::Lost(globe::Loss::Closed);
    assert_eq!(rig.event().await, closed, "nobody was told of it");
}

/// It comes and goes between two looks of the session, which sees nothing of either.
#[tokio::test(start_paused = true)]
async fn what_is_deleted_again_as_soon_as_it_is_back_is_put_back_again() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    let log = rig.log.clone();
    rig.way.after_the_next_commit(move || {
        log.hold_tails(true);
        let delete = Transaction::new().delete(&keyspace("numbers"), "a");
        log.commit(delete).now_or_never().unwrap().unwrap();
    });
    rig.other.delete("a").await.unwrap();
    sleep(TTL).await;
    rig.log.hold_tails(false);
    rig.shows(&[("a", 1)]).await;
    sleep(TTL).await;
    rig.shows(&[("a", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_writes_over_is_theirs() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.put("b", 1).await;
    rig.other.sync().await.unwrap();
    rig.other.put_detached("a", 7).await.unwrap();
    let SessionEvent::Displaced { keyspace, key, .. } = rig.event().await else {
        panic!("its owner is told");
    };
    assert_eq!((keyspace.as_str(), &*key), ("numbers", "a"));
    rig.other.delete("a").await.unwrap();
    rig.other.delete("b").await.unwrap();
    rig.shows(&[("b", 1)]).await;
    assert_eq!(rig.session.status().entries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_gives_up_does_not_put_back_what_is_deleted() {
    let mut rig = Rig::with(give_up).await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    rig.other.delete("a").await.unwrap();
    assert!(matches!(rig.event().await, SessionEvent::Displaced { .. }));
    tokio::time::sleep(TTL).await;
    assert!(rig.seen().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_its_own_process_deletes_stays_deleted() {
    let rig = Rig::new().await;
    let keys = ["delete", "delete_if", "try_update", "transact", "prefix/a"];
    for key in keys {
        rig.put(key, 1).await;
    }
    rig.map.delete("delete").await.unwrap();
    let version = rig.map.get_entry("delete_if").unwrap().version();
    rig.map.delete_if("delete_if", version).await.unwrap();
    let edit = |_: Option<&u64>| Ok::<_, globe::Error>(globe::Edit::Delete);
    rig.map.try_update("try_update", edit).await.unwrap();
    let delete = |txn: &mut globe::Txn<'_>| txn.delete(&rig.map, "transact");
    rig.map.transact(delete).await.unwrap();
    rig.map.delete_prefix("prefix/").await.unwrap();
    assert_eq!(rig.session.status().entries, 0);
    tokio::time::sleep(TTL * 2).await;
    assert!(rig.seen().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_its_own_process_detaches_outlives_it() {
    let rig = Rig::new().await;
    rig.put("put", 1).await;
    rig.put("transact", 1).await;
    rig.map.put_detached("put", 2).await.unwrap();
    let detach = |txn: &mut globe::Txn<'_>| txn.put_detached(&rig.map, "transact", 2);
    rig.map.transact(detach).await.unwrap();
    assert_eq!(rig.session.status().entries, 0);
    rig.session.close().await.unwrap();
    let expected = [("put".to_owned(), 2), ("transact".to_owned(), 2)];
    assert_eq!(rig.seen().await, expected);
    assert_eq!(rig.lease("put"), None);
}

/// Also in the moment in which the entry is gone and not yet back: else it would outlive its session.
#[tokio::test(start_paused = true)]
async fn any_other_write_keeps_an_entry_with_its_session() {
    let rig = Rig::new().await;
    let keys = ["put", "put_all", "put_if", "transact", "update"];
    for key in keys {
        rig.put(key, 1).await;
    }
    rig.log.hold_tails(true);
    let deletes = keys
        .iter()
        .fold(globe::log_client::Transaction::new(), |all, key| {
            all.delete(&keyspace("numbers"), *key)
        });
    globe::LogClient::commit(&rig.log, deletes).await.unwrap();
    let (map, release) = (&rig.map, async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        rig.log.hold_tails(false);
    });
    // All of them at once: what comes later finds it put back.
    let put_if = async {
        let expected = globe::Expected::Present;
        while map.put_if("put_if", 2, expected).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let all = async {
        let (put, put_all, update, transact, ()) = tokio::join!(
            map.put("put", 2),
            map.put_all([("put_all".to_owned(), 2)]),
            map.update("update", |_| 2),
            map.transact(|txn| txn.put(map, "transact", 2)),
            put_if
        );
        put.unwrap();
        put_all.unwrap();
        update.unwrap();
        transact.unwrap();
    };
    tokio::join!(within("all is written", all), release);
    for key in keys {
        let entry = map.get_entry(key).unwrap();
        assert!(rig.session.owns(&entry), "{key}");
        assert_eq!(*entry, 2, "{key}");
    }
    rig.session.close().await.unwrap();
    assert!(rig.seen().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_one_of_several_that_create_an_entry_does() {
    let rig = Rig::new().await;
    rig.other.put("a", 7).await.unwrap();
    let refused = rig.map.create_ephemeral(&rig.session, "a", 1).await;
    assert!(refused.unwrap_err().is_conflict());
    assert_eq!(rig.map.get("a").as_deref(), Some(&7));
    let created = rig.map.create_ephemeral(&rig.session, "b", 1).await;
    assert!(!created.unwrap().replaced());
    assert_eq!(
        rig.session.status().entries,
        1,
        "what was refused is not wanted"
    );
    rig.other.sync().await.unwrap();
    rig.other.delete("a").await.unwrap();
    tokio::time::sleep(TTL).await;
    assert_eq!(rig.seen().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_record_becomes_the_sessions_by_a_put() {
    let rig = Rig::new().await;
    rig.map.put("a", 1).await.unwrap();
    rig.put("a", 2).await;
    rig.session.close().await.unwrap();
    assert!(rig.seen().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_session_serves_several_maps_and_each_ends_with_it() {
    let rig = Rig::new().await;
    let names: Globe<u32, String> = Globe::open(rig.way.clone(), "names").await.unwrap();
    let elsewhere: Globe<u32, String> = Globe::open(rig.log.clone(), "names").await.unwrap();
    rig.put("a", 1).await;
    let put = names.put_ephemeral(&rig.session, 7, "seven".to_owned());
    put.await.unwrap();
    elsewhere.sync().await.unwrap();
    elsewhere.delete(7).await.unwrap();
    until("it is back", || elsewhere.contains_key(&7)).await;
    assert_eq!(rig.session.status().entries, 2);
    rig.session.close().await.unwrap();
    elsewhere.sync().await.unwrap();
    assert!(elsewhere.is_empty() && rig.seen().await.is_empty());
}

/// The session holds on to it: who registers something need not keep the map as well.
#[tokio::test(start_paused = true)]
async fn a_map_that_its_user_dropped_is_attended_all_the_same() {
    let rig = Rig::new().await;
    let map = numbers(&rig.way).await;
    map.put_ephemeral(&rig.session, "a", 1).await.unwrap();
    drop(map);
    rig.other.sync().await.unwrap();
    rig.other.delete("a").await.unwrap();
    rig.shows(&[("a", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn entries_of_a_map_that_was_closed_stand_until_the_session_ends() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.map.close().await;
    until("the session has left it", || {
        rig.session.status().entries == 0
    })
    .await;
    tokio::time::sleep(TTL * 3).await;
    assert_eq!(rig.seen().await.len(), 1);
    let put = rig.map.put_ephemeral(&rig.session, "b", 1).await;
    fails_with(put, globe::ErrorKind::Closed);
    rig.session.close().await.unwrap();
    assert!(rig.seen().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_another_session_of_the_process_writes_is_that_ones() {
    let rig = Rig::new().await;
    let second = globe::Session::open(rig.way.clone()).await.unwrap();
    rig.put("a", 1).await;
    rig.map.put_ephemeral(&second, "a", 2).await.unwrap();
    assert!(second.owns(&rig.map.get_entry("a").unwrap()));
    rig.session.close().await.unwrap();
    tokio::time::sleep(TTL).await;
    rig.shows(&[("a", 2)]).await;
    second.close().await.unwrap();
    assert!(rig.seen().await.is_empty());
}
