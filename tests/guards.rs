//! Steps that take nearly everything away: what a guarded map shows meanwhile, what it says of that, and how it ends.
//!
//! On a paused clock: what takes time is over when nothing else happens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use globe::log_client::{Batch, Transaction};
use globe::{
    Builder, Cause, Consistency, ErrorKind, Expected, Globe, Guard, LogClient, MemoryLog, Phase,
    Position, ResyncReason, Withheld, WithheldWatch, consistent_views,
};
use rig::ear::listen;
use rig::shown::{changed, next, seen};
use rig::{
    Around, fails_with, keyspace, numbers, reaches, until, within, without_differences, write_many,
    write_raw,
};
use tokio::time::Instant;
use tracing::Level;

const SECOND: Duration = Duration::from_secs(1);

type Numbers = Globe<String, u64>;
type Alerts = WithheldWatch<String, u64>;

const KEYS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// Half a minute, which is less than a test waits for anything.
fn hold() -> Guard {
    Guard::hold().at_most(30 * SECOND)
}

fn guarded(log: &(impl LogClient + Clone), guard: Guard) -> Builder<String, u64> {
    Globe::builder(log.clone(), "numbers").guard(guard)
}

async fn opened(builder: Builder<String, u64>) -> Numbers {
    within("a map is opened", builder.open()).await.unwrap()
}

/// Ten entries in one commit.
async fn fill(log: &impl LogClient, value: u64) -> Position {
    let entries = KEYS.map(|key| (key.to_owned(), value.to_string()));
    write_many(log, "numbers", entries).await
}

/// What somebody else does, in one commit.
async fn delete(log: &impl LogClient, keys: &[&'static str]) -> Position {
    let space = keyspace("numbers");
    let none = Transaction::new();
    let delete = keys
        .iter()
        .fold(none, |write, key| write.delete(&space, *key));
    log.commit(delete).await.unwrap()
}

/// A log of ten entries, a guarded map of it, and a watch of what that withholds.
async fn fresh(guard: Guard) -> (MemoryLog, Around, Numbers, Alerts) {
    let log = MemoryLog::new();
    fill(&log, 1).await;
    let around = Around::new(&log);
    let map = opened(guarded(&around, guard)).await;
    let alerts = map.watch_withheld();
    (log, around, map, alerts)
}

async fn alert(alerts: &mut Alerts) -> Withheld {
    let next = within("something is withheld", alerts.next()).await;
    next.unwrap().unwrap()
}

async fn is_over(alerts: &mut Alerts) {
    let next = within("nothing is withheld any more", alerts.next()).await;
    assert_eq!(next, Some(None));
}

#[tokio::test(start_paused = true)]
async fn what_takes_nearly_all_away_is_withheld_until_its_time_is_over() {
    let (ear, _listening) = listen();
    let (log, around, map, mut alerts) = fresh(hold()).await;
    let mut watch = map.watch();
    let wiped = delete(&log, &KEYS).await;
    let begun = Instant::now();
    let withheld = alert(&mut alerts).await;
    assert_eq!(
        (withheld.gone, withheld.entries, withheld.position),
        (10, 0, wiped)
    );
    assert!(!withheld.is_new_epoch);
    assert_eq!(map.len(), 10);
    let warned = ear.at(Level::WARN);
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(
        warned[0].contains("would take 10 entries away"),
        "{warned:?}"
    );

    // What comes after it is withheld as well: the map shows nothing that never was.
    let last = write_raw(&log, "numbers", "k", "2").await;
    until("it is followed", || {
        let withheld = map.status().withheld;
        withheld.is_some_and(|withheld| withheld.position == last && withheld.entries == 1)
    })
    .await;
    assert_eq!((map.len(), map.get("k")), (10, None));
    until("it is stale", || map.status().phase == Phase::Stale).await;
    assert!(watch.try_next().is_none());

    is_over(&mut alerts).await;
    assert!(begun.elapsed() >= 30 * SECOND, "{:?}", begun.elapsed());
    assert_eq!((map.len(), map.get("k").as_deref()), (1, Some(&2)));
    let changes = next(&mut watch).await;
    assert_eq!(changes.as_slice().len(), 11);
    assert_eq!(changes.cause(), Cause::Resync(ResyncReason::Withheld));
    assert_eq!(changes.to(), last);
    until("it is live", || map.status().phase == Phase::Live).await;
    // Nothing was asked of the log for it, and nothing was wrong with it.
    let status = map.status();
    assert_eq!(ear.at(Level::WARN).len(), 1, "{}", ear.all());
    assert_eq!((around.calls().snapshots, around.calls().tails), (1, 1));
    assert_eq!(
        (status.withheld, status.reopens, status.violations),
        (None, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn by_default_a_map_follows_whatever_the_log_says() {
    let (ear, _listening) = listen();
    let log = MemoryLog::new();
    fill(&log, 1).await;
    let map = numbers(&log).await;
    let wiped = delete(&log, &KEYS).await;
    reaches(&map, wiped).await;
    assert!(map.is_empty() && map.status().withheld.is_none());
    let told = ear.at(Level::INFO).concat();
    assert!(told.contains("gone=10 of=10"), "{told}");
    assert!(!map.accept_withheld());
}

#[tokio::test(start_paused = true)]
async fn what_is_put_right_meanwhile_was_never_gone() {
    let (log, _, map, mut alerts) = fresh(Guard::hold().until_accepted()).await;
    let mut watch = map.watch();
    delete(&log, &KEYS).await;
    alert(&mut alerts).await;
    write_raw(&log, "numbers", "a", "2").await;
    let last = write_raw(&log, "numbers", "b", "2").await;
    is_over(&mut alerts).await;
    let mut expected = vec![
        changed("a", Some(1), Some(2)),
        changed("b", Some(1), Some(2)),
    ];
    expected.extend(KEYS[2..].iter().map(|key| changed(key, Some(1), None)));
    let changes = next(&mut watch).await;
    assert_eq!(seen(&changes), expected);
    assert_eq!(changes.to(), last);

    // And is guarded again.
    fill(&log, 3).await;
    until("it is there again", || map.len() == 10).await;
    delete(&log, &KEYS).await;
    assert_eq!(alert(&mut alerts).await.gone, 10);
}

#[tokio::test(start_paused = true)]
async fn what_is_less_than_the_share_passes() {
    let (log, _, map, _) = fresh(hold()).await;
    let most = delete(&log, &KEYS[..8]).await;
    reaches(&map, most).await;
    assert_eq!((map.len(), map.status().withheld), (2, None));
    // Of two there is nothing to withhold.
    let rest = delete(&log, &KEYS[8..]).await;
    reaches(&map, rest).await;
    assert!(map.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_somebody_accepts_is_shown() {
    let (log, _, map, mut alerts) = fresh(Guard::hold().until_accepted()).await;
    assert!(!map.accept_withheld());
    let wiped = delete(&log, &KEYS).await;
    alert(&mut alerts).await;
    tokio::time::sleep(3_600 * SECOND).await;
    let withheld = map.status().withheld.unwrap();
    assert!(withheld.held_for >= 3_600 * SECOND, "{withheld}");
    assert!(map.accept_withheld());
    is_over(&mut alerts).await;
    assert_eq!((map.len(), map.position()), (0, Some(wiped)));
    // It was said of that, and of nothing later.
    fill(&log, 2).await;
    until("it is there again", || map.len() == 10).await;
    delete(&log, &KEYS).await;
    alert(&mut alerts).await;
    assert_eq!(map.len(), 10);
}

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
    let (_, around, map, _) = fresh(Guard::hold().until_accepted()).await;
    let map = map.with_deadline(SECOND);
    around.lose_replies(true);
    let kind = match map.clear().await {
        Err(error) => error.kind().clone(),
        Ok(_) => panic!("the reply was lost"),
    };
    assert_eq!(kind, ErrorKind::Indeterminate);
    around.lose_replies(false);
    until("it is shown", || map.is_empty()).await;
    assert_eq!(map.status().withheld, None);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_comes_back_empty_is_withheld() {
    let (log, around, map, mut alerts) = fresh(Guard::hold().until_accepted()).await;
    let before = map.position().unwrap();
    log.wipe();
    let first = write_raw(&log, "numbers", "new", "1").await;
    let withheld = alert(&mut alerts).await;
    assert!(withheld.is_new_epoch, "{withheld}");
    assert_eq!((withheld.gone, withheld.entries), (10, 1));
    assert_eq!((map.len(), map.position()), (10, Some(before)));
    // It is followed there, and not read again and again.
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!(map.status().phase, Phase::Stale);
    let last = write_raw(&log, "numbers", "newer", "1").await;
    until("it is followed", || {
        map.status()
            .withheld
            .is_some_and(|withheld| withheld.position == last)
    })
    .await;
    assert!(last.covers(first));
    assert!(around.calls().snapshots <= 3, "{:?}", around.calls());
    assert!(map.accept_withheld());
    is_over(&mut alerts).await;
    assert_eq!((map.len(), map.position()), (2, Some(last)));
    let status = map.status();
    assert_eq!(status.last_resync, Some(ResyncReason::EpochChanged));
    let synced = within("it is live", map.sync()).await.unwrap();
    assert!(synced.covers(last));
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_backup_is_brought_back_was_never_empty() {
    let (log, _, map, mut alerts) = fresh(Guard::hold().until_accepted()).await;
    let mut watch = map.watch();
    let backup = log.backup();
    log.wipe();
    alert(&mut alerts).await;
    log.restore(&backup);
    is_over(&mut alerts).await;
    assert_eq!(map.position(), Some(log.head_position()));
    assert_eq!(map.len(), 10);
    assert!(
        watch
            .try_next()
            .is_none_or(|changes| seen(&changes).is_empty())
    );
    within("it is live", map.sync()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_doubt_whose_snapshot_is_withheld_is_settled_when_that_is_shown() {
    let (log, around, map, mut alerts) = fresh(Guard::hold().until_accepted()).await;
    let stood = map.get_entry("a").unwrap().version();
    around.distort(|batch| vec![Batch::progress(batch.revision)]);
    let wiped = delete(&log, &KEYS).await;
    reaches(&map, wiped).await;
    assert_eq!(map.len(), 10, "it was never delivered");
    around.be_honest();
    let refused = map.put_if("a", 2, Expected::At(stood)).await;
    assert!(refused.unwrap_err().is_conflict());
    assert_eq!(alert(&mut alerts).await.gone, 10);
    // Reading it again and again would show nothing else.
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(around.calls().snapshots, 2);
    assert_eq!(map.len(), 10);
    assert!(map.accept_withheld());
    is_over(&mut alerts).await;
    within("it is live", map.sync()).await.unwrap();
    assert!(map.is_empty());
    assert_eq!((around.calls().snapshots, map.status().violations), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_new_epoch_is_withheld_whatever_it_takes_where_that_is_wanted() {
    for is_wanted in [true, false] {
        let guard = Guard::hold().until_accepted().new_epochs(is_wanted);
        let (log, _, map, mut alerts) = fresh(guard).await;
        let backup = log.backup();
        write_raw(&log, "numbers", "k", "1").await;
        until("it is there", || map.len() == 11).await;
        log.restore(&backup);
        let head = log.head_position();
        if is_wanted {
            let withheld = alert(&mut alerts).await;
            assert!(withheld.is_new_epoch, "{withheld}");
            assert_eq!((withheld.gone, withheld.entries, map.len()), (1, 10, 11));
            // What comes after it is no reason to show it.
            let last = write_raw(&log, "numbers", "l", "1").await;
            until("it is followed", || {
                map.status()
                    .withheld
                    .is_some_and(|withheld| withheld.position == last)
            })
            .await;
            assert_eq!(map.len(), 11);
            assert!(map.accept_withheld());
            is_over(&mut alerts).await;
        }
        reaches(&map, head).await;
        assert_eq!(map.get("k"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_time_counts_in_which_the_log_is_followed() {
    let (log, around, map, mut alerts) = fresh(hold()).await;
    delete(&log, &KEYS).await;
    alert(&mut alerts).await;
    tokio::time::sleep(20 * SECOND).await;
    around.cut(true);
    until("the tail has broken", || map.status().reopens > 0).await;
    tokio::time::sleep(300 * SECOND).await;
    assert_eq!(map.len(), 10);
    around.cut(false);
    let back = Instant::now();
    is_over(&mut alerts).await;
    let left = back.elapsed();
    assert!(left >= 9 * SECOND && left < 15 * SECOND, "{left:?}");
    assert!(map.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_while_the_log_is_away_is_shown_all_the_same() {
    let (log, around, map, mut alerts) = fresh(hold()).await;
    delete(&log, &KEYS).await;
    alert(&mut alerts).await;
    around.cut(true);
    until("the tail has broken", || map.status().reopens > 0).await;
    assert!(map.accept_withheld());
    is_over(&mut alerts).await;
    assert!(map.is_empty());
}

/// Reads everything again while something is withheld, by a difference or by a snapshot: what is read then counts.
async fn read_again(log: MemoryLog) {
    fill(&log, 1).await;
    let around = Around::new(&log);
    let map = opened(guarded(&around, Guard::hold().until_accepted())).await;
    let mut alerts = map.watch_withheld();
    delete(&log, &KEYS).await;
    let begun = Instant::now();
    alert(&mut alerts).await;
    for (value, is_enough) in [(2, false), (3, true)] {
        around.cut(true);
        for key in &KEYS[..value - 1] {
            write_raw(&log, "numbers", key, value.to_string()).await;
        }
        let head = log.head_position();
        log.compact(head.revision).unwrap();
        around.cut(false);
        if is_enough {
            is_over(&mut alerts).await;
            assert_eq!((map.len(), map.position()), (2, Some(head)));
        } else {
            until("it is read again", || {
                map.status()
                    .withheld
                    .is_some_and(|withheld| withheld.position == head)
            })
            .await;
            let withheld = map.status().withheld.unwrap();
            assert_eq!((withheld.gone, withheld.entries, map.len()), (9, 1, 10));
            assert!(withheld.held_for + SECOND > begun.elapsed(), "{withheld:?}");
        }
    }
    let status = map.status();
    assert_eq!(status.last_resync, Some(ResyncReason::Compacted));
    assert_eq!(status.violations, 0);
    within("it is live", map.sync()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_read_again_takes_the_place_of_what_was_withheld() {
    read_again(without_differences()).await;
}

#[tokio::test(start_paused = true)]
async fn so_does_what_is_read_as_a_difference() {
    read_again(MemoryLog::new()).await;
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
