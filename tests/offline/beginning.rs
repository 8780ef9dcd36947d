//! What a map shows that begins with its copy, how old that is said to be, and what it costs to move on.
//!
//! The log is never restored here from what the copy holds.

use std::path::Path;
use std::time::Duration;

use globe::offline::Start;
use globe::{
    Cause, Change, Consistency, ErrorKind, Globe, MemoryLog, Phase, Position, ResyncReason, Watch,
};
use tempfile::TempDir;

use crate::rig::{Around, delete_raw, fails_with, until, within, write_many, write_raw};
use crate::{HOUR, Numbers, SECOND, builder, copied, in_folder, is_live, kept, was_open};

/// What a watch shows until it is at a position, key by key, and the last cause.
async fn shown(watch: &mut Watch<String, u64>, until: Position) -> (Vec<(String, u64)>, Cause) {
    let mut shown = Vec::new();
    loop {
        let changes = within("the watch shows something", watch.next())
            .await
            .unwrap();
        let value = |change: &Change<String, u64>| change.new_value().map_or(0, |value| **value);
        shown.extend(
            changes
                .as_slice()
                .iter()
                .map(|it| (it.key().clone(), value(it))),
        );
        if changes.to().covers(until) {
            return (shown, changes.cause());
        }
    }
}

fn sorted(mut shown: Vec<(String, u64)>) -> Vec<(String, u64)> {
    shown.sort();
    shown
}

#[tokio::test]
async fn a_map_begins_with_its_copy_while_the_log_is_down() {
    let (log, folder) = was_open().await;
    log.set_available(false);
    let map = kept(&log, &folder).await;
    assert_eq!(
        (map.get("a").as_deref(), map.get("b").as_deref()),
        (Some(&1), Some(&2))
    );
    let status = map.status();
    assert!(
        status.from_copy && status.phase == Phase::Stale,
        "{status:?}"
    );
    assert!(status.staleness.is_some_and(|age| age < HOUR), "{status:?}");
    log.set_available(true);
    is_live(&map).await;
    assert!(!map.status().from_copy);
    map.put("c", 3).await.unwrap();
}

#[tokio::test]
async fn a_copy_is_never_taken_for_live_however_young_it_is() {
    let (log, folder) = was_open().await;
    log.set_available(false);
    let map = builder(&log, in_folder(&folder)).stale_after(HOUR).open();
    let map = map.await.unwrap();
    let mut phase = map.watch_phase();
    assert_eq!(phase.catch_up(), Phase::Stale);
    log.set_available(true);
    let next = within("another phase", phase.next()).await;
    assert_eq!(next, Some(Phase::Live));
}

#[tokio::test]
async fn it_moves_on_by_what_was_committed_meanwhile_and_asks_for_no_snapshot() {
    let (log, folder) = was_open().await;
    write_raw(&log, "numbers", "c", "3").await;
    let last = delete_raw(&log, "numbers", "a").await;
    let around = Around::new(&log);
    around.cut(true);
    let map = kept(&around, &folder).await;
    let mut watch = map.watch();
    around.cut(false);
    let (shown, cause) = shown(&mut watch, last).await;
    assert_eq!(sorted(shown), [("a".to_owned(), 0), ("c".to_owned(), 3)]);
    assert!(!matches!(cause, Cause::Resync(_)), "{cause:?}");
    is_live(&map).await;
    assert_eq!(around.calls().snapshots, 0);
}

#[tokio::test]
async fn where_the_log_has_forgotten_what_came_in_between_it_moves_on_by_an_exact_difference() {
    let (log, folder) = was_open().await;
    write_raw(&log, "numbers", "c", "3").await;
    let last = delete_raw(&log, "numbers", "a").await;
    log.compact(last.revision).unwrap();
    let around = Around::new(&log);
    around.cut(true);
    let map = kept(&around, &folder).await;
    let mut watch = map.watch();
    around.cut(false);
    let (shown, cause) = shown(&mut watch, last).await;
    assert_eq!(sorted(shown), [("a".to_owned(), 0), ("c".to_owned(), 3)]);
    assert_eq!(cause, Cause::Resync(ResyncReason::Compacted));
    assert_eq!(around.calls().snapshots, 0);
    // And the next process as well.
    copied(&folder, last).await;
}

#[tokio::test]
async fn a_copy_of_another_life_gives_way_to_the_log() {
    let (log, folder) = was_open().await;
    log.wipe();
    let last = write_raw(&log, "numbers", "b", "2").await;
    log.set_available(false);
    let map = kept(&log, &folder).await;
    assert_eq!(map.len(), 2);
    let mut watch = map.watch();
    log.set_available(true);
    let (shown, cause) = shown(&mut watch, last).await;
    assert_eq!(cause, Cause::Resync(ResyncReason::EpochChanged));
    assert!(shown.contains(&("a".to_owned(), 0)), "{shown:?}");
    // And the next process begins with the new one.
    copied(&folder, last).await;
}

#[tokio::test]
async fn who_asks_for_younger_is_told_that_there_is_nothing() {
    let (log, folder) = was_open().await;
    log.set_available(false);
    let map = kept(&log, &folder).await.with_deadline(SECOND / 10);
    let view = map.view_at(Consistency::Within(HOUR)).await.unwrap();
    assert_eq!(view.len(), 2);
    tokio::time::sleep(SECOND / 100).await;
    let younger = map.view_at(Consistency::Within(SECOND / 1_000)).await;
    fails_with(younger, ErrorKind::Stale);
    let newest = map.view_at(Consistency::Linearizable).await;
    fails_with(newest, ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_copy_that_is_older_than_allowed_is_not_shown_and_saves_the_reading() {
    let (log, folder) = was_open().await;
    let around = Around::new(&log);
    around.cut(true);
    let stale = |max_age| in_folder(&folder).start(Start::AllowStale { max_age });
    let map = builder(&around, stale(HOUR)).open().await.unwrap();
    assert_eq!(map.len(), 2);
    map.close().await;
    let old = || builder(&around, stale(Duration::ZERO));
    fails_with(
        old().open_timeout(SECOND / 5).open().await,
        ErrorKind::Unavailable,
    );
    let map = old().start().unwrap();
    assert_eq!(map.status().phase, Phase::Hydrating);
    let last = write_raw(&log, "numbers", "c", "3").await;
    around.cut(false);
    is_live(&map).await;
    assert!(map.position().is_some_and(|here| here.covers(last)));
    assert_eq!((map.len(), around.calls().snapshots), (3, 0));
}

#[tokio::test]
async fn where_only_what_is_live_is_allowed_nothing_is_shown_before_the_log_answers() {
    let (log, folder) = was_open().await;
    let last = delete_raw(&log, "numbers", "a").await;
    // However much of it is forgotten.
    log.compact(last.revision).unwrap();
    let around = Around::new(&log);
    around.cut(true);
    let live = || builder(&around, in_folder(&folder).start(Start::RequireLive));
    fails_with(
        live().open_timeout(SECOND / 5).open().await,
        ErrorKind::Unavailable,
    );
    let map = live().start().unwrap();
    until("the log was asked", || map.status().failures > 2).await;
    assert!(map.try_view().is_none());
    around.cut(false);
    within("it is hydrated", map.hydrated()).await.unwrap();
    assert!(map.position().is_some_and(|here| here.covers(last)));
    assert_eq!((map.len(), map.get("b").as_deref()), (1, Some(&2)));
    assert_eq!(around.calls().snapshots, 0);
    assert!(!map.status().from_copy);
}

#[tokio::test]
async fn a_copy_of_another_life_that_is_not_shown_is_let_go() {
    let (log, folder) = was_open().await;
    log.wipe();
    write_raw(&log, "numbers", "c", "3").await;
    let live = builder(&log, in_folder(&folder).start(Start::RequireLive));
    let map = within("it is opened", live.open()).await.unwrap();
    assert_eq!((map.len(), map.get("c").as_deref()), (1, Some(&3)));
}

#[tokio::test]
async fn a_copy_that_is_refused_is_as_if_there_were_none() {
    let (log, folder) = was_open().await;
    spoil(folder.path());
    let map = kept(&log, &folder).await;
    assert_eq!(map.len(), 2);
    copied(&folder, map.position().unwrap()).await;
    map.close().await;
    spoil(folder.path());
    log.set_available(false);
    let map = builder(&log, in_folder(&folder)).open_timeout(SECOND / 5);
    fails_with(map.open().await, ErrorKind::Unavailable);
}

/// Writes nonsense over every file.
fn spoil(folder: &Path) {
    for file in std::fs::read_dir(folder).unwrap() {
        std::fs::write(file.unwrap().path(), "nonsense").unwrap();
    }
}

/// As `was_open`, but `a` cannot be decoded in the copy; and the log is down.
async fn was_open_with_a_bad_record() -> (MemoryLog, TempDir) {
    let (log, folder) = was_open().await;
    let map = kept(&log, &folder).await;
    let bad = write_raw(&log, "numbers", "a", "nonsense").await;
    copied(&folder, bad).await;
    map.close().await;
    log.set_available(false);
    (log, folder)
}

#[tokio::test]
async fn the_last_good_value_before_a_bad_record_is_asked_for_once_the_log_answers() {
    let (log, folder) = was_open_with_a_bad_record().await;
    let map = kept(&log, &folder).await;
    assert_eq!((map.get("a"), map.get("b").as_deref()), (None, Some(&2)));
    assert_eq!(map.quarantine().len(), 1);
    log.set_available(true);
    until("the last good value is shown", || {
        map.get("a").as_deref() == Some(&1)
    })
    .await;
}

#[tokio::test]
async fn many_maps_keep_their_copies_in_one_folder() {
    let (log, folder) = (MemoryLog::new(), tempfile::tempdir().unwrap());
    for name in ["one", "two"] {
        let map: Numbers = Globe::builder(log.clone(), name)
            .offline(in_folder(&folder))
            .open()
            .await
            .unwrap();
        // Both names are as long: the copies are told apart by what stands in them.
        map.put("name", u64::from(name == "two")).await.unwrap();
        map.close().await;
    }
    log.set_available(false);
    for name in ["one", "two"] {
        let opened = Globe::builder(log.clone(), name).offline(in_folder(&folder));
        let map: Numbers = within("a map is opened", opened.open()).await.unwrap();
        assert_eq!(map.get("name").as_deref(), Some(&u64::from(name == "two")));
    }
}

#[tokio::test]
async fn a_copy_of_many_records_is_shown_whole() {
    let (log, folder) = (MemoryLog::new(), tempfile::tempdir().unwrap());
    let map = kept(&log, &folder).await;
    for hundred in 0..25 {
        let numbers = hundred * 100..(hundred + 1) * 100;
        let records = numbers.map(|number| (format!("{number:04}"), number.to_string()));
        write_many(&log, "numbers", records).await;
    }
    until("it is known", || map.len() == 2_500).await;
    map.close().await;
    log.set_available(false);
    let map = kept(&log, &folder).await;
    assert_eq!(map.len(), 2_500);
    for number in 0..2_500 {
        assert_eq!(map.get(&format!("{number:04}")).as_deref(), Some(&number));
    }
}

#[tokio::test]
async fn a_copy_in_which_a_value_is_bad_is_not_shown_by_a_strict_map_which_waits_for_the_log() {
    let (log, folder) = was_open_with_a_bad_record().await;
    let strict = builder(&log, in_folder(&folder)).strict(true);
    let map = strict.start().unwrap();
    let failing = || map.status().failing_for.is_some();
    until("the log was tried", failing).await;
    assert_eq!(map.status().phase, Phase::Hydrating);
    log.set_available(true);
    // It was mended while this process was not there.
    write_raw(&log, "numbers", "a", "3").await;
    until("the map has begun", || map.get("a").as_deref() == Some(&3)).await;
}
