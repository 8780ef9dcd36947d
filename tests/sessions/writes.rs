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

/// Its caller names no session, and is told nothing of its leases.
#[tokio::test(start_paused = true)]
async fn a_put_that_stays_with_its_session_goes_on_under_its_next_lease() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.put("b", 1).await;
    rig.keep_busy().await;
    rig.other.delete("a").await.unwrap();
    rig.map.sync().await.unwrap();
    rig.revoke("b").await;
    assert_eq!(
        rig.session.state(),
        SessionState::Live,
        "nobody has noticed"
    );
    let all = rig.map.put_all([("a".to_owned(), 7)]).await;
    assert!(all.unwrap().position().is_some());
    rig.shows(&[("a", 7), ("b", 1), ("busy", 1)]).await;
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

/// Others delete it before the session has looked at what its own process wrote last.
#[tokio::test(start_paused = true)]
async fn what_its_process_wrote_last_is_put_back_although_the_session_never_saw_it() {
    let rig = Rig::new().await;
    let keys = ["put_all", "put_if", "transact", "try_update", "update"];
    for key in keys {
        rig.put(key, 1).await;
    }
    rig.keep_busy().await;
    let map = &rig.map;
    map.put_all([("put_all".to_owned(), 2)]).await.unwrap();
    let present = globe::Expected::Present;
    map.put_if("put_if", 2, present).await.unwrap();
    let put = |txn: &mut globe::Txn<'_>| txn.put(map, "transact", 2);
    map.transact(put).await.unwrap();
    let edit = |_: Option<&u64>| Ok::<_, globe::Error>(globe::Edit::Put(2));
    map.try_update("try_update", edit).await.unwrap();
    map.update("update", |_| 2).await.unwrap();
    rig.other.sync().await.unwrap();
    for key in keys {
        rig.other.delete(key).await.unwrap();
    }
    rig.shows(&[
        ("busy", 1),
        ("put_all", 2),
        ("put_if", 2),
        ("transact", 2),
        ("try_update", 2),
        ("update", 2),
    ])
    .await;
}

/// It is committed, and the map does not show it yet: what it shows instead says nothing about it.
#[tokio::test(start_paused = true)]
async fn what_is_not_seen_yet_is_not_judged_by_what_stood_there_before() {
    for gives_up in [false, true] {
        let rig = Rig::with(|builder| match gives_up {
            true => crate::give_up(builder),
            false => builder,
        })
        .await;
        rig.put("kept", 1).await;
        rig.map.put("permanent", 1).await.unwrap();
        rig.log.hold_tails(true);
        let hasty = rig.map.with_deadline(SECOND);
        for key in ["new", "permanent"] {
            let put = hasty.put_ephemeral(&rig.session, key, 2).await;
            let error = put.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Behind(_)), "{error}");
        }
        rig.log.hold_tails(false);
        sleep(TTL).await;
        rig.shows(&[("kept", 1), ("new", 2), ("permanent", 2)])
            .await;
        assert_eq!(rig.session.status().entries, 3);
    }
}

/// The answer to the write that came first in the log is handled last.
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_wants_nothing_back() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.way.hold_replies(true);
    let mut put = Box::pin(rig.map.put_ephemeral(&rig.session, "a", 2));
    assert!((&mut put).now_or_never().is_none());
    until("it is put", || rig.other.get("a").as_deref() == Some(&2)).await;
    let mut delete = Box::pin(rig.map.delete("a"));
    assert!((&mut delete).now_or_never().is_none());
    until("it is deleted", || !rig.other.contains_key("a")).await;
    rig.way.hold_replies(false);
    until("it is seen", || !rig.map.contains_key("a")).await;
    let (deleted, put) = tokio::join!(delete, put);
    assert!(deleted.unwrap().position().covers(put.unwrap().position()));
    sleep(TTL).await;
    rig.shows(&[]).await;
    assert_eq!(rig.session.status().entries, 0);
}

/// What it was to delete is gone by then, and something else stands there.
#[tokio::test(start_paused = true)]
async fn a_sweep_spares_what_somebody_else_has_written_there_since() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    let lease = rig.lease_of("kept").await.unwrap();
    let log = rig.log.clone();
    rig.way.before_the_next_commit(move || {
        let theirs = globe::log_client::Transaction::new();
        let theirs = theirs.put(&keyspace("numbers"), "late", "8");
        log.commit(theirs).now_or_never().unwrap().unwrap();
    });
    let late = globe::log_client::Transaction::new();
    let late = late.put_leased(&keyspace("numbers"), "late", "7", lease);
    rig.log.commit(late).await.unwrap();
    until("it was to be swept", || rig.way.calls().commits >= 2).await;
    sleep(TTL).await;
    rig.shows(&[("kept", 1), ("late", 8)]).await;
}

/// In another life a restore may have brought its lease back, and somebody else has to end it.
#[tokio::test(start_paused = true)]
async fn every_write_under_a_lease_names_the_life_that_granted_it() {
    let rig = Rig::new().await;
    let sent = rig.way.keep_transactions();
    rig.put("a", 1).await;
    rig.map
        .create_ephemeral(&rig.session, "b", 1)
        .await
        .unwrap();
    let (map, session) = (&rig.map, &rig.session);
    let put = |txn: &mut globe::Txn<'_>| txn.put_ephemeral(map, session, "c", 1);
    map.transact(put).await.unwrap();
    map.put("a", 2).await.unwrap();
    rig.other.sync().await.unwrap();
    rig.other.delete("b").await.unwrap();
    rig.shows(&[("a", 2), ("b", 1), ("c", 1)]).await;
    let life = Some(rig.log.head_position().epoch);
    let sent = sent.lock().unwrap();
    assert!(sent.len() >= 5);
    for transaction in sent.iter() {
        assert_eq!(transaction.epoch(), life, "{transaction:?}");
    }
}

/// The session itself is held up while it puts it back.
#[tokio::test(start_paused = true)]
async fn an_update_that_puts_an_entry_back_says_under_which_lease() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.way.lose_requests(true);
    let commits = rig.way.calls().commits;
    rig.other.delete("a").await.unwrap();
    until("the session tries to put it back", || {
        rig.way.calls().commits > commits
    })
    .await;
    rig.way.lose_requests(false);
    let updated = rig.map.update("a", |old| old.map_or(7, |_| 8)).await;
    let updated = updated.unwrap();
    assert_eq!(**updated.value(), 7);
    assert_eq!(updated.lease(), rig.lease_of("a").await);
    assert!(rig.session.owns(&updated));
}

/// What it replaced is gone by then, so it is not swept, and its session looks after it: also when nothing was to be seen of
/// it for long.
#[tokio::test(start_paused = true)]
async fn a_put_over_a_permanent_record_that_lands_late_is_kept() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    let lease = rig.lease_of("kept").await.unwrap();
    for key in ["late", "never", "own"] {
        rig.map.put(key, 1).await.unwrap();
    }
    let hasty = rig.map.with_deadline(SECOND);
    rig.way.lose_requests(true);
    for key in ["late", "never", "own"] {
        let put = hasty.put_ephemeral(&rig.session, key, 2).await;
        fails_with(put, ErrorKind::Indeterminate);
    }
    rig.way.lose_requests(false);
    sleep(TTL * 3).await;
    let over = rig.map.get_entry("late").unwrap().version();
    let late = globe::log_client::Transaction::new().within(Some(over.epoch()));
    let at = globe::log_client::Precondition::At(over.revision());
    let late = late.when(&keyspace("numbers"), "late", at);
    let late = late.put_leased(&keyspace("numbers"), "late", "2", lease);
    rig.log.commit(late).await.unwrap();
    sleep(TTL).await;
    rig.shows(&[("kept", 1), ("late", 2), ("never", 1), ("own", 1)])
        .await;
    rig.other.delete("late").await.unwrap();
    rig.shows(&[("kept", 1), ("late", 2), ("never", 1), ("own", 1)])
        .await;
    // What is written over a record without a lease meanwhile is permanent, and no copy can land over it.
    rig.other.put("never", 3).await.unwrap();
    rig.map.put("own", 3).await.unwrap();
    until("the others are not waited for", || {
        rig.session.status().entries == 2
    })
    .await;
    rig.session.close().await.unwrap();
    let left = [("never".to_owned(), 3), ("own".to_owned(), 3)];
    assert_eq!(rig.seen().await, left);
}
