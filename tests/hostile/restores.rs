//! A restore of the log between every read and its write, and between a write and its visibility: nothing of another life
//! is overwritten by what was decided in this one.
//!
//! Never a restore that only happens to fall so: the way to the log lets it happen exactly there.

use std::sync::Arc;

use globe::{ErrorKind, Expected, Globe, MemoryLog};

use crate::rig::{Around, conflicts, fails_with, numbers, until, within, write_raw};
use crate::traps::{Act, Neighbour, act, lives_on, on_every_runtime};

type Numbers = Globe<String, u64>;

/// What stands at `k` before the restore, and what another client wrote there after it, at the same revision.
const OURS: u64 = 1;
const THEIRS: u64 = 70;

/// A map that shows a life of the log which is about to end.
struct Scene {
    log: MemoryLog,
    way: Around,
    map: Numbers,
    neighbour: Neighbour,
    /// Puts the log back to where it was, and lets another client write there.
    backup: Act,
}

impl Scene {
    async fn set() -> Scene {
        let log = MemoryLog::new();
        for (key, value) in [("other", b"2"), ("neighbour", b"0")] {
            write_raw(&log, "numbers", key, value).await;
        }
        let neighbour = Neighbour::move_in(&log).await;
        let kept = log.backup();
        let ours = write_raw(&log, "numbers", "k", b"1").await;
        let way = Around::new(&log);
        let map = numbers(&way).await;
        let its = log.clone();
        let backup = act(move || {
            its.restore(&kept);
            let theirs = write_raw(&its, "numbers", "k", b"70");
            let theirs = futures::FutureExt::now_or_never(theirs).expect("it answers at once");
            assert_eq!(ours.revision, theirs.revision, "the number is used again");
            assert_ne!(ours.epoch, theirs.epoch);
        });
        assert_eq!(map.get("k").as_deref(), Some(&OURS));
        Scene {
            log,
            way,
            map,
            neighbour,
            backup,
        }
    }

    fn restore_before_the_commit(&self) {
        let backup = Arc::clone(&self.backup);
        self.way.before_the_next_commit(move || backup());
    }

    fn restore_after_the_commit(&self) {
        let (backup, log) = (Arc::clone(&self.backup), self.log.clone());
        // Held: else the commit may be visible before it is gone.
        log.hold_tails(true);
        self.way.after_the_next_commit(move || {
            backup();
            log.hold_tails(false);
        });
    }

    /// Map and log agree, `k` holds this, and nobody else's key was touched.
    async fn ends_with(mut self, what: &str, k: Option<u64>) {
        self.neighbour.goes_on().await;
        until(what, || self.map.contains_key("neighbour")).await;
        within(what, self.map.sync()).await.unwrap();
        let truth = numbers(&self.log).await;
        assert!(truth.view().diff(&self.map.view()).is_empty(), "{what}");
        assert_eq!(truth.get("k").as_deref().copied(), k, "{what}");
        assert_eq!(self.map.get("k").as_deref().copied(), k, "{what}");
        assert_eq!(truth.get("other").as_deref(), Some(&2), "{what}");
        lives_on(&self.map).await;
    }
}

#[test]
fn what_was_compared_in_another_life_is_refused_and_never_a_match() {
    on_every_runtime(|| async {
        for (what, is_seen) in [("before it is seen here", false), ("after that", true)] {
            for is_delete in [false, true] {
                let scene = Scene::set().await;
                let version = scene.map.get_entry("k").unwrap().version();
                if is_seen {
                    (scene.backup)();
                    until("it is seen", || {
                        scene.map.get("k").as_deref() == Some(&THEIRS)
                    })
                    .await;
                } else {
                    scene.restore_before_the_commit();
                }
                let written = match is_delete {
                    true => within(what, scene.map.delete_if("k", version)).await,
                    false => within(what, scene.map.put_if("k", 9, version)).await,
                };
                let error = written.unwrap_err();
                assert_eq!(*error.kind(), ErrorKind::EpochChanged, "{what}: {error}");
                scene.ends_with(what, Some(THEIRS)).await;
            }
        }
    });
}

#[test]
fn a_version_that_travelled_as_text_is_of_its_life_still() {
    on_every_runtime(|| async {
        let scene = Scene::set().await;
        let text = scene.map.get_entry("k").unwrap().version().to_string();
        (scene.backup)();
        let version: globe::Version = text.parse().unwrap();
        let neighbour = scene.neighbour.map();
        let error = within("it is answered", neighbour.put_if("k", 9, version)).await;
        fails_with(error, ErrorKind::EpochChanged);
        scene.ends_with("by the neighbour", Some(THEIRS)).await;
    });
}

#[test]
fn an_update_that_was_computed_in_another_life_is_computed_anew() {
    on_every_runtime(|| async {
        let scene = Scene::set().await;
        let (mut calls, backup) = (Vec::new(), Arc::clone(&scene.backup));
        let update = scene.map.update("k", |old| {
            if calls.is_empty() {
                backup();
            }
            calls.push(old.copied());
            old.map_or(0, |old| old + 1)
        });
        assert_eq!(
            **within("an update", update).await.unwrap().value(),
            THEIRS + 1
        );
        assert_eq!(calls, [Some(OURS), Some(THEIRS)]);
        scene
            .ends_with("inside the closure", Some(THEIRS + 1))
            .await;

        let scene = Scene::set().await;
        scene.restore_before_the_commit();
        let update = scene.map.update("k", |old| old.map_or(0, |old| old + 1));
        assert_eq!(
            **within("an update", update).await.unwrap().value(),
            THEIRS + 1
        );
        scene.ends_with("after the closure", Some(THEIRS + 1)).await;
    });
}

#[test]
fn a_transaction_that_read_another_life_reads_anew() {
    on_every_runtime(|| async {
        let scene = Scene::set().await;
        let (map, mut seen) = (&scene.map, Vec::new());
        let backup = Arc::clone(&scene.backup);
        let transaction = map.transact(|txn| {
            let old = txn.get(map, "k")?.map_or(0, |old| *old);
            if seen.is_empty() {
                backup();
            }
            seen.push(old);
            txn.put(map, "k", old + 1)
        });
        within("a transaction", transaction).await.unwrap();
        assert_eq!(seen, [OURS, THEIRS]);
        scene
            .ends_with("inside the closure", Some(THEIRS + 1))
            .await;

        let scene = Scene::set().await;
        scene.restore_before_the_commit();
        let (map, neighbour) = (&scene.map, scene.neighbour.map());
        // A blind write, read through one handle and written through another.
        let transaction = map.transact(|txn| {
            let old = txn.get(neighbour, "k")?.map_or(0, |old| *old);
            txn.put(map, "k", old + 1)
        });
        within("a transaction", transaction).await.unwrap();
        scene.ends_with("two handles", Some(THEIRS + 1)).await;
    });
}

#[test]
fn a_write_that_was_meant_whatever_stands_there_gets_through_a_restore() {
    on_every_runtime(|| async {
        for number in 0..7 {
            let scene = Scene::set().await;
            scene.restore_before_the_commit();
            let map = &scene.map;
            let write = async {
                match number {
                    0 => map.put("k", 9).await.map(drop),
                    1 => map.put_detached("k", 9).await.map(drop),
                    2 => map.put_if("k", 9, Expected::Present).await.map(drop),
                    3 => map.put_all([("k".to_owned(), 9)]).await.map(drop),
                    4 => map.transact(|txn| txn.put(map, "k", 9)).await.map(drop),
                    5 => map
                        .delete("k")
                        .await
                        .map(|deleted| assert!(deleted.replaced())),
                    _ => map.delete_prefix("k").await.map(drop),
                }
            };
            within("a write", write).await.unwrap();
            let k = (number < 5).then_some(9);
            scene.ends_with(&format!("write {number}"), k).await;
        }
    });
}

#[test]
fn a_create_finds_what_the_other_life_has() {
    on_every_runtime(|| async {
        let scene = Scene::set().await;
        scene.map.delete("k").await.unwrap();
        scene.restore_before_the_commit();
        let created = within("a create", scene.map.create("k", 9)).await;
        conflicts(created);
        assert_eq!(scene.map.get("k").as_deref(), Some(&THEIRS), "and shows it");
        scene.ends_with("create", Some(THEIRS)).await;
    });
}

#[test]
fn a_write_that_a_restore_erased_says_so_at_once() {
    on_every_runtime(|| async {
        for number in 0..5 {
            let scene = Scene::set().await;
            scene.restore_after_the_commit();
            let map = &scene.map;
            let write = async {
                match number {
                    0 => map.put("k", 9).await.map(drop),
                    1 => map.update("k", |_| 9).await.map(drop),
                    2 => map.transact(|txn| txn.put(map, "k", 9)).await.map(drop),
                    3 => map.put_all([("k".to_owned(), 9)]).await.map(drop),
                    _ => map.delete("k").await.map(drop),
                }
            };
            let error = within("it is answered", write).await.unwrap_err();
            let kind = error.kind();
            assert_eq!(*kind, ErrorKind::EpochChanged, "{number}: {error}");
            scene
                .ends_with(&format!("write {number}"), Some(THEIRS))
                .await;
        }
    });
}
