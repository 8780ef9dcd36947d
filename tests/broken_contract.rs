//! A log that breaks its contract is noticed at the door, counted, told of once, and healed.
//!
//! What is broken is the way from the real memory log to the map; the log itself stays the truth to compare with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use globe::log_client::{Batch, Change};
use globe::{MemoryLog, Phase, Revision};
use rig::{Around, brisk, delete_raw, numbers, put_all, until, within, write_raw};
use tokio::time::sleep;
use tracing::Level;

const SECOND: Duration = Duration::from_secs(1);

/// Opens a map on a log that distorts its batches from now on, lets it be written, and sees it healed.
async fn heals(name: &str, distort: impl FnMut(Batch) -> Vec<Batch> + Send + 'static) {
    let (ear, _listening) = rig::ear::listen();
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = brisk(&around).await;
    map.put_all((0..5).map(|key| (format!("k{key}"), 0)))
        .await
        .unwrap();
    let mut watch = map.watch();
    let mut folded = watch.catch_up();
    around.distort(distort);
    for value in 1..=20_u64 {
        let text = value.to_string();
        write_raw(&log, "numbers", &format!("k{}", value % 5), text.as_bytes()).await;
        if value % 4 == 0 {
            delete_raw(&log, "numbers", "k4").await;
        }
        sleep(SECOND / 100).await;
    }
    around.be_honest();
    within(name, map.sync()).await.unwrap();
    until(name, || map.status().phase == Phase::Live).await;
    let truth = numbers(&log).await.view();
    assert!(
        truth.diff(&map.view()).is_empty(),
        "{name}: the map is the log again"
    );
    assert!(map.status().violations > 0, "{name}: counted");
    let warnings = ear
        .at(Level::WARN)
        .into_iter()
        .filter(|line| line.contains("contract"))
        .count();
    assert_eq!(warnings, 1, "{name}: told once");
    while let Some(changes) = watch.try_next() {
        for change in &changes {
            assert_eq!(
                change.old_value(),
                folded.get(change.key()).as_ref(),
                "{name}: each difference begins where the last ended"
            );
        }
        folded = changes.after();
    }
    assert!(
        folded.diff(&truth).is_empty(),
        "{name}: watchers heard all of it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_that_repeats_is_healed() {
    heals("repeats", |batch| vec![batch.clone(), batch]).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_reorders_is_healed() {
    let mut kept: Option<Batch> = None;
    let swap = move |batch| match kept.take() {
        Some(earlier) => vec![batch, earlier],
        None => {
            kept = Some(batch);
            Vec::new()
        }
    };
    heals("reorders", swap).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_tells_of_another_revision_is_healed() {
    let mislabel = |mut batch: Batch| {
        for change in &mut batch.changes {
            if let Change::Put(record) = change {
                record.modified = Revision(record.modified.0 + 1);
            }
        }
        vec![batch]
    };
    heals("mislabels", mislabel).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_progress_runs_ahead_of_its_batches_is_healed() {
    let hurry = |batch: Batch| vec![Batch::progress(batch.revision), batch];
    heals("hurries", hurry).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_progress_goes_back_is_healed() {
    let fall_back = |batch: Batch| {
        let before = Batch::progress(Revision(batch.revision.0 - 1));
        vec![batch, before]
    };
    heals("falls back", fall_back).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_halves_a_transaction_is_noticed_and_healed() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = brisk(&around).await;
    around.distort(|mut batch| {
        let rest = batch.changes.split_off(batch.changes.len() / 2);
        let revision = batch.revision;
        vec![batch, Batch::new(revision, rest)]
    });
    let other = numbers(&log).await;
    put_all(&other, [("a", 1), ("b", 1)]).await;
    until("both are there", || map.len() == 2).await;
    assert_eq!(map.status().violations, 1);
    assert_eq!(map.status().resyncs, 1);
}
