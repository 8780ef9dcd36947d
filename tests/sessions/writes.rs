//! Writes whose outcome nobody knows, and those that were dropped: nothing is left behind, and nothing is lost.

use futures::FutureExt;
use globe::{ErrorKind, LogClient, SessionState};
use tokio::time::sleep;

use crate::rig::{fails_with, keyspace, until};
use crate::{Rig, SECOND, TTL};

#[tokio::test(start_paused = true)]
async fn a_create_that_was_dropped_at_any_await_is_swept() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    for polls in 0..30 {
        let key = format!("{polls}");
        let mut put = Box::pin(rig.map.create_ephemeral(&rig.session, key, 1));
        let mut is_done = false;
        for _ in 0..polls {
            is_done = is_done || (&mut put).now_or_never().is_some();
            if is_done {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(put);
        if is_done {
            rig.map.delete(&format!("{polls}")).await.unwrap();
        }
    }
    rig.shows(&[("kept", 1)]).await;
    until("it wants nothing else", || {
        rig.session.status().entries == 1
    })
    .await;
    sleep(TTL).await;
    rig.shows(&[("kept", 1)]).await;
}

/// The reply is lost: the caller is told that nobody knows, so it must not stand.
#[tokio::test(start_paused = true)]
async fn a_create_of_unknown_outcome_is_swept() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    rig.way.lose_replies(true);
    let hasty = rig.map.with_deadline(SECOND);
    let put = hasty.create_ephemeral(&rig.session, "a", 1).await;
    fails_with(put, ErrorKind::Indeterminate);
    rig.way.lose_replies(false);
    rig.shows(&[("kept", 1)]).await;
    assert_eq!(rig.session.status().entries, 1);
}

/// It lands when its caller has long been told that nobody knows.
#[tokio::test(start_paused = true)]
async fn a_create_that_lands_late_is_swept() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    rig.other.sync().await.unwrap();
    let lease = rig.lease("kept").unwrap();
    for number in 0..5 {
        sleep(SECOND).await;
        let late = globe::log_client::Transaction::new();
        let late = late.put_leased(&keyspace("numbers"), format!("late-{number}"), "7", lease);
        rig.log.commit(late).await.unwrap();
        rig.shows(&[("kept", 1)]).await;
    }
}

/// What was rewritten is wanted in either case: with the value that the log turns out to have.
#[tokio::test(start_paused = true)]
async fn after_a_rewrite_of_unknown_outcome_what_stands_there_counts() {
    let rig = Rig::new().await;
    rig.put("own", 1).await;
    rig.map.put("permanent", 1).await.unwrap();
    let hasty = rig.map.with_deadline(SECOND);
    rig.way.lose_replies(true);
    for key in ["own", "permanent"] {
        let put = hasty.put_ephemeral(&rig.session, key, 2).await;
        fails_with(put, ErrorKind::Indeterminate);
    }
    rig.way.lose_replies(false);
    rig.shows(&[("own", 2), ("permanent", 2)]).await;
    for key in ["own", "permanent"] {
        rig.other.sync().await.unwrap();
        rig.other.delete(key).await.unwrap();
        rig.shows(&[("own", 2), ("permanent", 2)]).await;
    }
    rig.way.lose_requests(true);
    let put = hasty.put_ephemeral(&rig.session, "own", 3).await;
    fails_with(put, ErrorKind::Indeterminate);
    rig.way.lose_requests(false);
    rig.shows(&[("own", 2), ("permanent", 2)]).await;
    rig.session.close().await.unwrap();
    assert!(rig.seen().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn after_a_delete_of_unknown_outcome_what_stands_there_counts() {
    let rig = Rig::new().await;
    rig.put("gone", 1).await;
    rig.put("stays", 1).await;
    let hasty = rig.map.with_deadline(SECOND);
    rig.way.lose_replies(true);
    fails_with(hasty.delete("gone").await, ErrorKind::Indeterminate);
    rig.way.lose_replies(false);
    rig.way.lose_requests(true);
    fails_with(hasty.delete("stays").await, ErrorKind::Indeterminate);
    rig.way.lose_requests(false);
    sleep(TTL * 2).await;
    rig.shows(&[("stays", 1)]).await;
    assert_eq!(rig.session.status().entries, 1);
}

/// The write was refused for good, so what was wanted before is wanted still.
#[tokio::test(start_paused = true)]
async fn a_write_that_was_refused_changes_nothing_of_what_is_wanted() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    let denied = globe::Error::new(ErrorKind::Denied, "not this one");
    rig.way.refuse(Some(denied));
    let put = rig.map.put_ephemeral(&rig.session, "a", 2).await;
    fails_with(put, ErrorKind::Denied);
    fails_with(rig.map.delete("a").await, ErrorKind::Denied);
    rig.way.refuse(None);
    rig.other.delete("a").await.unwrap();
    rig.shows(&[("a", 1)]).await;
}

/// The lease is gone and nobody has noticed yet: the write waits for the next one.
#[tokio::test(start_paused = true)]
async fn a_write_under_a_lease_that_is_gone_goes_on_under_the_next() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    rig.revoke("a").await;
    assert_eq!(
        rig.session.state(),
        SessionState::Live,
        "nobody has noticed"
    );
    rig.put("b", 2).await;
    rig.restored().await;
    rig.shows(&[("a", 1), ("b", 2)]).await;
    rig.revoke("a").await;
    let map = rig.map.clone();
    let txn = map.transact(|txn| {
        txn.put_ephemeral(&map, &rig.session, "c", 3)?;
        txn.put(&map, "d", 4)
    });
    txn.await.unwrap();
    rig.restored().await;
    rig.shows(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]).await;
    assert_eq!(rig.lease("d"), None);
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_entry_is_part_of_its_transaction() {
    let rig = Rig::new().await;
    let map = &rig.map;
    map.put("count", 1).await.unwrap();
    let registered = map.transact(|txn| {
        let count = txn.get(map, "count")?.map_or(0, |count| *count);
        txn.put_ephemeral(map, &rig.session, "a", count)?;
        txn.put(map, "count", count + 1)
    });
    registered.await.unwrap();
    rig.shows(&[("a", 1), ("count", 2)]).await;
    let refused = map.transact(|txn| {
        txn.put_ephemeral(map, &rig.session, "b", 1)?;
        Err::<(), _>(txn.abort("no"))
    });
    fails_with(refused.await, ErrorKind::Aborted);
    assert_eq!(rig.session.status().entries, 1);
    rig.session.close().await.unwrap();
    rig.shows(&[("count", 2)]).await;
}

/// Replies come in another order than the commits were made in: the order of the log counts.
#[tokio::test(start_paused = true)]
async fn what_is_wanted_follows_the_order_of_the_log() {
    let rig = Rig::new().await;
    for round in 0..20 {
        let (map, session) = (&rig.map, &rig.session);
        let (put, deleted) = tokio::join!(map.put_ephemeral(session, "a", round), map.delete("a"));
        let (put, deleted) = (put.unwrap(), deleted.unwrap());
        let is_there = put.position().covers(deleted.position());
        sleep(SECOND).await;
        assert_eq!(
            rig.seen().await.len(),
            usize::from(is_there),
            "round {round}"
        );
    }
}
