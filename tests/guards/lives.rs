//! What is read again while something is withheld, or is withheld itself: logs that are wiped, restored, or have forgotten.

use globe::log_client::Batch;
use globe::{Expected, Guard, MemoryLog, Phase, ResyncReason};
use tokio::time::Instant;

use crate::rig::shown::seen;
use crate::rig::{Around, reaches, until, within, without_differences, write_raw};
use crate::{KEYS, SECOND, alert, delete, fill, fresh, guarded, is_over, opened};

#[tokio::test(start_paused = true)]
async fn a_log_that_comes_back_empty_is_withheld() {
    let (log, around, map, mut alerts) = fresh(Guard::hold().until_accepted()).await;
    let before = map.position().unwrap();
    around.cut(true);
    until("it is stale", || map.status().phase == Phase::Stale).await;
    log.wipe();
    let first = write_raw(&log, "numbers", "new", "1").await;
    around.cut(false);
    let withheld = alert(&mut alerts).await;
    assert_eq!(map.status().phase, Phase::Stale);
    assert!(withheld.is_new_epoch, "{withheld}");
    assert_eq!((withheld.gone, withheld.entries), (10, 1));
    assert_eq!((map.len(), map.position()), (10, Some(before)));
    // It is followed there, and not read again and again.
    tokio::time::sleep(600 * SECOND).await;
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
