//! A log that is away, restored or wiped: what is shown meanwhile, and afterwards.

use futures::StreamExt;
use globe::settings::Source;
use globe::{ErrorKind, Guard, MemoryLog, Settings};
use tokio::time::{Instant, sleep};

use crate::rig::{Around, fails_with, until, within};
use crate::{SECOND, SPACE, a_while, history, limit, one, put, recorded, scope, settings, shows};

#[tokio::test(start_paused = true)]
async fn settings_work_from_defaults_while_the_log_is_down_at_start() {
    let log = MemoryLog::new();
    limit(&settings(&log, "admin").await)
        .publish("global", 7)
        .await
        .unwrap();
    let way = Around::new(&log);
    way.cut(true);
    let builder = || Settings::builder(way.clone(), SPACE, scope("web-7"));
    fails_with(
        builder().open_timeout(SECOND).open().await,
        ErrorKind::Unavailable,
    );
    let settings = builder().deadline(SECOND).start().unwrap();
    let limit = limit(&settings);
    let mut watch = limit.watch();
    assert_eq!(
        (*limit.get(), limit.get().source().clone()),
        (100, Source::Default)
    );
    assert!(limit.problems().is_empty());
    fails_with(limit.publish("global", 8).await, ErrorKind::Unavailable);
    tokio::time::sleep(SECOND * 3_600).await;
    assert_eq!(*limit.get(), 100);

    way.cut(false);
    let (old, new) = within("it moves", watch.next()).await.unwrap();
    assert_eq!((*old, *new), (100, 7));
    within("it is known", settings.hydrated()).await.unwrap();
    assert_eq!(*limit.get(), 7);
}

#[tokio::test(start_paused = true)]
async fn after_hydrated_settings_show_what_stands() {
    let log = MemoryLog::new();
    limit(&settings(&log, "admin").await)
        .publish("global", 7)
        .await
        .unwrap();
    let settings = Settings::builder(log, SPACE, scope("web-7"))
        .start()
        .unwrap();
    let limit = limit(&settings);
    settings.hydrated().await.unwrap();
    assert_eq!(*limit.get(), 7, "at once");
}

#[tokio::test(start_paused = true)]
async fn the_last_values_stay_while_the_log_is_away_for_an_hour() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    let here = limit(&settings(&way, "web-7").await);
    let there = limit(&settings(&log, "web-8").await);
    here.publish("global", 1).await.unwrap();
    way.cut(true);
    for value in 2..30 {
        shows(&there, value - 1).await;
        there.publish("global", value).await.unwrap();
    }
    put(&log, "global", "30").await;
    put(&log, "global", "1001").await;
    tokio::time::sleep(SECOND * 3_600).await;
    assert_eq!(*here.get(), 1);
    fails_with(here.publish("global", 9).await, ErrorKind::Unavailable);
    way.cut(false);
    a_while().await;
    until("both agree", || *here.get() == *there.get()).await;
    assert_eq!(*limit(&settings(&log, "web-9").await).get(), *here.get());
}

/// Who could not put it into the history at first does it later: otherwise who comes then would not agree.
#[tokio::test(start_paused = true)]
async fn what_was_put_by_hand_is_recorded_however_long_the_log_takes_no_commits() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    let settings = Settings::builder(way.clone(), SPACE, scope("web-7")).deadline(SECOND);
    let limit = limit(&settings.open().await.unwrap());
    way.lose_requests(true);
    put(&log, "global", "5").await;
    shows(&limit, 5).await;
    tokio::time::sleep(SECOND * 600).await;
    assert_eq!(recorded(&log).await, 0);
    way.lose_requests(false);
    tokio::time::sleep(SECOND * 120).await;
    assert_eq!(recorded(&log).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_a_difference() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let limit = limit(&settings);
    limit.publish("global", 1).await.unwrap();
    let backup = log.backup();
    limit.publish("global", 2).await.unwrap();
    limit.publish("region:eu", 3).await.unwrap();
    let mut watch = limit.watch();
    log.restore(&backup);
    let (old, new) = within("it changes", watch.next()).await.unwrap();
    assert_eq!((*old, *new), (3, 1));
    a_while().await;
    assert_eq!(
        (history(&limit, "global"), recorded(&log).await),
        (vec![Some(1)], 1)
    );
    limit.publish("global", 4).await.unwrap();
    assert_eq!(history(&limit, "global"), [Some(4), Some(1)]);
    log.wipe();
    // That is hardly ever meant.
    until("it is withheld", || settings.status().withheld.is_some()).await;
    assert_eq!(*limit.get(), 4);
    assert!(settings.accept_withheld());
    shows(&limit, 100).await;
    a_while().await;
    assert_eq!(recorded(&log).await, 0);
    limit.publish("global", 5).await.unwrap();
    assert_eq!((*limit.get(), history(&limit, "global").len()), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn what_takes_nearly_all_settings_away_is_withheld_for_a_minute() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let limit = limit(&settings);
    limit.publish("global", 1).await.unwrap();
    limit.publish("global", 2).await.unwrap();
    let mut alerts = settings.watch_withheld();
    let mut next = async || within("an alert", alerts.next()).await.unwrap();
    log.wipe();
    let begun = Instant::now();
    let withheld = next().await.unwrap();
    assert!(withheld.is_new_epoch, "{withheld}");
    assert_eq!(*limit.get(), 2);
    sleep(SECOND * 50).await;
    assert_eq!(*limit.get(), 2);
    assert_eq!(next().await, None);
    assert!(begun.elapsed() >= SECOND * 60);
    shows(&limit, 100).await;
}

#[tokio::test(start_paused = true)]
async fn settings_that_are_not_guarded_follow_at_once() {
    let log = MemoryLog::new();
    let builder = Settings::builder(log.clone(), SPACE, scope("web-7"));
    let settings = builder.guard(Guard::follow()).open().await.unwrap();
    let limit = limit(&settings);
    limit.publish("global", 1).await.unwrap();
    limit.publish("global", 2).await.unwrap();
    log.wipe();
    let begun = Instant::now();
    shows(&limit, 100).await;
    assert!(begun.elapsed() < SECOND * 60 && settings.status().withheld.is_none());
}

/// What a restored log had not seen is not brought back by those who remember it.
#[tokio::test(start_paused = true)]
async fn a_bad_value_in_a_backup_is_judged_by_the_backup() {
    let (log, early) = one().await;
    early.publish("global", 1).await.unwrap();
    put(&log, "global", "1001").await;
    crate::complains(&early, "global").await;
    let backup = log.backup();
    early.publish("global", 2).await.unwrap();
    log.restore(&backup);
    shows(&early, 1).await;
    a_while().await;
    let late = limit(&settings(&log, "web-8").await);
    assert_eq!((*early.get(), *late.get()), (1, 1));
}
