//! A step that takes nearly everything away: what is shown meanwhile, and how that ends.

use globe::{Cause, Guard, MemoryLog, Phase, ResyncReason};
use tokio::time::Instant;
use tracing::Level;

use crate::rig::ear::listen;
use crate::rig::shown::{changed, next, seen};
use crate::rig::{numbers, reaches, until, write_raw};
use crate::{KEYS, SECOND, alert, delete, fill, fresh, hold, is_over};

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

    // What comes after it is withheld as well, and for no longer: the map shows nothing that never was.
    tokio::time::sleep(10 * SECOND).await;
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
    assert_eq!(begun.elapsed().as_secs(), 30);
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
