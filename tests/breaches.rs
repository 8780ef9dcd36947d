//! Each way of breaking the contract that a faulty log knows is found, counted and healed; by what means, the names say.
//!
//! What nobody can find is shown as well, so that the documentation stays honest.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use globe::{ErrorKind, Expected, Globe, MemoryLog, Phase, Revision};
use globe_faulty::{Fault, Faults, FaultyLog};
use rig::{
    brisk, conflicts, delete_raw, fails_with, until, within, without_differences, write_raw,
};

/// A map on a faulty log around a real one, without faults so far.
struct Scene {
    memory: MemoryLog,
    log: FaultyLog,
    map: Globe<String, u64>,
}

impl Scene {
    async fn new() -> Scene {
        Scene::on(MemoryLog::new(), Faults::none()).await
    }

    async fn on(memory: MemoryLog, faults: Faults) -> Scene {
        let log = FaultyLog::builder(memory.clone()).faults(faults).build();
        let map = brisk(&log).await;
        Scene { memory, log, map }
    }

    /// From now on this fault always happens.
    fn always(&self, fault: Fault) {
        self.log.set_faults(Faults::none().with(fault, 1.0));
    }

    /// Writes past the map, and waits until the map has heard as much as it is let.
    async fn write(&self, key: &str, value: u64) {
        write_raw(&self.memory, "numbers", key, value.to_string()).await;
        self.settle().await;
    }

    async fn settle(&self) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }

    /// Writes what the tail leaves out, and then lets the tail go on.
    async fn miss(&self, key: &str, value: u64) {
        self.always(Fault::SkipBatch);
        self.write(key, value).await;
        assert!(self.log.injected()[&Fault::SkipBatch] > 0);
        self.log.heal();
        // Another key, so that the map stands beyond what it missed.
        self.write("elsewhere", value).await;
        assert_ne!(self.map.get(key).as_deref(), Some(&value), "it was missed");
        assert_eq!(self.violations(), 0, "nobody can know yet");
    }

    fn violations(&self) -> u64 {
        self.map.status().violations
    }

    /// The map is the log again, found something, and is well.
    async fn is_healed(&self, what: &str) {
        self.log.heal();
        within(what, self.map.sync()).await.unwrap();
        until(what, || self.map.status().phase == Phase::Live).await;
        self.is_the_log(what).await;
        assert!(self.violations() > 0, "{what}: it was counted");
    }

    async fn is_the_log(&self, what: &str) {
        let truth = brisk(&self.memory).await;
        until(what, || truth.view().diff(&self.map.view()).is_empty()).await;
        assert!(self.map.position().unwrap().revision <= self.memory.head_position().revision);
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_twice_or_in_the_wrong_order_or_after_its_own_progress_is_found_at_the_door() {
    for fault in [Fault::RepeatBatch, Fault::SwapBatches, Fault::LieProgress] {
        let scene = Scene::new().await;
        scene.always(fault);
        for value in 1..=6 {
            scene.write("a", value).await;
        }
        scene.is_healed(&fault.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn progress_that_was_never_committed_is_taken_back() {
    let scene = Scene::new().await;
    scene.map.put("a", 1).await.unwrap();
    // The batch itself is left out, so that nothing at the door speaks against the claim.
    let faults = Faults::none()
        .with(Fault::LieProgress, 1.0)
        .with(Fault::SkipBatch, 1.0);
    scene.log.set_faults(faults);
    for value in 2..=5 {
        scene.write("a", value).await;
    }
    scene.log.heal();
    let real = || scene.memory.head_position().revision;
    until("the map stands where the log does", || {
        scene.map.position().unwrap().revision <= real()
    })
    .await;
    scene.map.put("b", 2).await.unwrap();
    scene.is_healed("lies about progress").await;
}

#[tokio::test(start_paused = true)]
async fn a_missed_creation_is_found_when_the_key_is_written_again() {
    let scene = Scene::new().await;
    scene.miss("a", 1).await;
    scene.write("a", 2).await;
    scene.is_healed("a missed creation").await;
}

#[tokio::test(start_paused = true)]
async fn a_missed_delete_is_found_when_the_key_is_created_again() {
    let scene = Scene::new().await;
    scene.write("a", 1).await;
    scene.always(Fault::SkipBatch);
    delete_raw(&scene.memory, "numbers", "a").await;
    scene.settle().await;
    scene.log.heal();
    assert_eq!(scene.map.get("a").as_deref(), Some(&1), "it was missed");
    scene.write("a", 2).await;
    scene.is_healed("a missed delete").await;
}

#[tokio::test(start_paused = true)]
async fn a_missed_write_is_found_by_a_refused_one() {
    let scene = Scene::new().await;
    scene.write("a", 1).await;
    scene.miss("a", 2).await;
    let next = |old: Option<&u64>| old.map_or(0, |old| old + 1);
    let updated = within("the update gets through", scene.map.update("a", next)).await;
    assert_eq!(
        **updated.unwrap().value(),
        3,
        "it was made of what stands in the log"
    );
    scene.is_healed("a missed write").await;

    let scene = Scene::new().await;
    scene.miss("a", 1).await;
    let refused = scene.map.put_if("a", 9, Expected::Absent).await;
    conflicts(refused);
    scene.is_healed("a missed creation").await;
}

#[tokio::test(start_paused = true)]
async fn a_missed_write_is_found_by_the_next_snapshot() {
    let scene = Scene::on(without_differences(), Faults::none()).await;
    scene.write("a", 1).await;
    scene.miss("a", 2).await;
    scene.memory.set_available(false);
    scene.settle().await;
    scene.memory.set_available(true);
    // Its history is forgotten before the map is back.
    write_raw(&scene.memory, "numbers", "b", b"1").await;
    scene
        .memory
        .compact(scene.memory.head_position().revision)
        .unwrap();
    scene.is_healed("a missed write").await;
    assert_eq!(scene.map.status().resyncs, 1);
}

#[tokio::test(start_paused = true)]
async fn no_difference_finds_a_missed_write_but_a_refused_one_does() {
    let scene = Scene::new().await;
    scene.write("a", 1).await;
    scene.miss("a", 2).await;
    scene.memory.set_available(false);
    scene.settle().await;
    scene.memory.set_available(true);
    let head = write_raw(&scene.memory, "numbers", "b", b"1").await;
    scene.memory.compact(head.revision).unwrap();
    until("the resync", || scene.map.status().resyncs == 1).await;
    assert_eq!(
        (scene.map.get("a").as_deref(), scene.violations()),
        (Some(&1), 0)
    );
    let next = |old: Option<&u64>| old.map_or(0, |old| old + 1);
    let updated = within("the update gets through", scene.map.update("a", next)).await;
    assert_eq!(**updated.unwrap().value(), 3, "of what stands in the log");
    scene.is_healed("a missed write").await;
}

#[tokio::test(start_paused = true)]
async fn half_a_transaction_is_found_when_the_other_half_is_written_again() {
    let scene = Scene::new().await;
    scene.always(Fault::HalveBatch);
    let other = brisk(&scene.memory).await;
    let both = [("a".to_owned(), 1), ("b".to_owned(), 1)];
    other.put_all(both).await.unwrap();
    scene.settle().await;
    assert_eq!(scene.map.len(), 1, "half was missed");
    scene.log.heal();
    scene.write("a", 2).await;
    scene.write("b", 2).await;
    scene.is_healed("half a transaction").await;
}

#[tokio::test(start_paused = true)]
async fn a_hole_in_a_snapshot_is_found_when_the_missing_key_is_written_again() {
    let memory = MemoryLog::new();
    write_raw(&memory, "numbers", "a", b"1").await;
    let holes = Faults::none().with(Fault::HoleInSnapshot, 1.0);
    let scene = Scene::on(memory, holes).await;
    assert!(scene.map.is_empty());
    scene.log.heal();
    scene.write("a", 2).await;
    scene.is_healed("a hole in a snapshot").await;
}

#[tokio::test(start_paused = true)]
async fn an_old_snapshot_is_refused() {
    let scene = Scene::on(without_differences(), Faults::none()).await;
    scene.always(Fault::OldSnapshot);
    for value in 1..=5 {
        scene.write("a", value).await;
    }
    scene.memory.restore(&scene.memory.backup());
    scene.settle().await;
    scene.write("a", 6).await;
    scene.memory.set_available(false);
    scene.settle().await;
    scene.memory.set_available(true);
    // Its history is forgotten before the map is back: it needs another snapshot, and is given the first of this life.
    write_raw(&scene.memory, "numbers", "a", b"7").await;
    let head = scene.memory.head_position();
    scene.memory.compact(head.revision).unwrap();
    for _ in 0..10 {
        scene.settle().await;
        assert_eq!(scene.map.get("a").as_deref(), Some(&6), "not taken back");
    }
    assert!(scene.log.injected()[&Fault::OldSnapshot] > 0);
    scene.is_healed("an old snapshot").await;
}

#[tokio::test(start_paused = true)]
async fn a_tail_that_is_mute_is_replaced() {
    let scene = Scene::new().await;
    scene.always(Fault::MuteTail);
    scene.write("a", 1).await;
    scene.log.heal();
    until("the write is seen", || scene.map.contains_key("a")).await;
    assert!(scene.map.status().reopens > 0);
    scene.is_the_log("a mute tail").await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_head_proves_nothing_and_takes_nothing_back() {
    let scene = Scene::new().await;
    for value in 1..=30 {
        write_raw(&scene.memory, "numbers", "a", value.to_string()).await;
    }
    within("all is seen", scene.map.sync()).await.unwrap();
    scene.always(Fault::StaleHead);
    for _ in 0..20 {
        scene.settle().await;
        assert_eq!(scene.map.get("a").as_deref(), Some(&30));
    }
    assert!(scene.log.injected()[&Fault::StaleHead] > 0);
    fails_with(scene.map.sync().await, ErrorKind::EpochChanged);
    scene.log.heal();
    within("it is proved again", scene.map.sync())
        .await
        .unwrap();
    scene.is_the_log("a stale head").await;
}

#[tokio::test(start_paused = true)]
async fn a_missed_last_write_of_a_key_is_what_nobody_can_find() {
    let scene = Scene::new().await;
    scene.write("a", 1).await;
    scene.miss("a", 2).await;
    for value in 3..=10 {
        scene.write("b", value).await;
    }
    assert_eq!(scene.map.get("a").as_deref(), Some(&1));
    assert_eq!(scene.violations(), 0);
    assert!(scene.map.position().unwrap().revision > Revision(10));
}
