//! Whoever writes, deletes and waits while something is withheld.

use globe::{Consistency, ErrorKind, Guard, MemoryLog, consistent_views};

use crate::rig::{fails_with, numbers, until, within, write_raw};
use crate::{KEYS, SECOND, alert, delete, fill, fresh, guarded, hold, is_over};

#[tokio::test(start_paused = true)]
async fn what_is_deleted_through_the_map_passes() {
    let (log, _, map, _) = fresh(Guard::hold().until_accepted()).await;
    let deleted = within("it is cleared", map.clear()).await.unwrap();
    assert_eq!((deleted.count(), map.len()), (10, 0));
    assert_eq!(map.status().withheld, None);

    // Also one by one, in a transaction, and by another handle.
    fill(&log, 2).await;
    until("it is there again", || map.len() == 10).await;
    let other = map.clone();
    let deleted = map.transact(|txn| KEYS.iter().try_for_each(|key| txn.delete(&other, *key)));
    within("it is committed", deleted).await.unwrap();
    assert_eq!((map.len(), map.status().withheld), (0, None));

    // Who deletes at the same time as somebody else vouches for his own.
    fill(&log, 3).await;
    until("it is there again", || map.len() == 10).await;
    log.hold_tails(true);
    let own = map.with_deadline(SECOND);
    let own = own.delete_prefix("j");
    let (own, _) = tokio::join!(own, async {
        tokio::time::sleep(SECOND / 2).await;
        delete(&log, &KEYS[..9]).await;
    });
    drop(own);
    log.hold_tails(false);
    let mut alerts = map.watch_withheld();
    let gone = match map.status().withheld {
        Some(withheld) => withheld.gone,
        None => alert(&mut alerts).await.gone,
    };
    assert_eq!(gone, 9);
}

#[tokio::test(start_paused = true)]
async fn a_delete_of_which_nobody_knows_whether_it_was_committed_passes() {
    let (log, around, map, _) = fresh(Guard::hold().until_accepted()).await;
    let map = map.with_deadline(SECOND);
    log.hold_tails(true);
    around.lose_replies(true);
    let kind = match map.clear().await {
        Err(error) => error.kind().clone(),
        Ok(_) => panic!("the reply was lost"),
    };
    assert_eq!(kind, ErrorKind::Indeterminate);
    around.lose_replies(false);
    assert_eq!(map.len(), 10, "it comes later than the call has ended");
    log.hold_tails(false);
    until("it is shown", || map.is_empty()).await;
    assert_eq!(map.status().withheld, None);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_what_is_withheld_is_told_of_it() {
    let (log, _, map, mut alerts) = fresh(Guard::hold().until_accepted()).await;
    let wiped = delete(&log, &KEYS).await;
    alert(&mut alerts).await;
    let map = map.with_deadline(SECOND);
    let says = |error: globe::Error, gone| {
        let (text, takes) = (error.to_string(), format!("would take {gone} entries away"));
        assert!(text.contains(&takes), "{text}");
    };
    says(fails_with(map.sync().await, ErrorKind::Stale), 10);
    let newest = map.view_at(Consistency::Linearizable).await;
    says(fails_with(newest, ErrorKind::Stale), 10);
    let there = map.view_at(Consistency::AtLeast(wiped)).await;
    says(fails_with(there, ErrorKind::Stale), 10);
    let young = map.view_at(Consistency::Within(SECOND / 10)).await;
    fails_with(young, ErrorKind::Stale);
    // It is written, over what stands in the log, and not seen here.
    let behind = map.put("a", 2).await.unwrap_err();
    assert!(matches!(behind.kind(), ErrorKind::Behind(_)), "{behind}");
    says(behind, 9);
    assert_eq!(map.get("a").as_deref(), Some(&1));
    // Two of ten are there again, so the rest is followed.
    within("it is there", map.create("b", 2)).await.unwrap();
    is_over(&mut alerts).await;
    assert_eq!(map.get("a").as_deref(), Some(&2));
    within("it is live", map.sync()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn views_that_must_agree_wait_for_what_is_withheld() {
    let (log, around, map, mut alerts) = fresh(Guard::hold().at_most(5 * SECOND)).await;
    let other = numbers(&around).await;
    delete(&log, &KEYS).await;
    alert(&mut alerts).await;
    write_raw(&log, "numbers", "k", "1").await;
    let both = (&map, &other);
    let (one, two) = within("they agree", consistent_views(both)).await.unwrap();
    assert_eq!(one.position(), two.position());
    assert_eq!((one.len(), two.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_withheld_ends_with_its_map() {
    let (log, _, map, mut alerts) = fresh(hold()).await;
    delete(&log, &KEYS).await;
    alert(&mut alerts).await;
    map.close().await;
    assert_eq!(within("it ends", alerts.next()).await, None);
    assert_eq!(alerts.ended().unwrap().kind(), &ErrorKind::Closed);
    assert_eq!(map.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_cannot_be_meant_is_refused_by_name() {
    let log = MemoryLog::new();
    let error = guarded(&log, Guard::hold().share(0.0)).open().await;
    let error = fails_with(error, ErrorKind::Invalid);
    assert!(
        error.to_string().contains("the share of a guard is 0"),
        "{error}"
    );
}
