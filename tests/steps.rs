//! Watches that want every revision, and waiting for one that satisfies.
//!
//! The random histories are in `model.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use globe::log_client::Batch;
use globe::{Cause, ErrorKind, MemoryLog};
use rig::shown::{changed, seen};
use rig::{
    Around, answered_after, brisk, conflicts, fails_with, fresh, numbers, within, write_raw,
};

#[tokio::test]
async fn every_revision_is_shown_once_to_who_keeps_up() {
    let map = numbers(&MemoryLog::new()).await;
    let mut watch = map.watch().every_revision(64);
    let mut revisions = Vec::new();
    for round in 0..3 {
        for value in 0..20 {
            let put = map.put("a", round * 100 + value).await.unwrap();
            revisions.push(put.position().revision);
        }
        for revision in revisions.drain(..) {
            let changes = within("a step", watch.next()).await.unwrap();
            assert_eq!(changes.cause(), Cause::Step);
            assert_eq!(changes.as_slice()[0].position().revision, revision);
        }
    }
    assert!(watch.try_next().is_none());
}

#[tokio::test]
async fn an_overrun_is_marked_and_exact_and_steps_go_on_after_it() {
    let map = numbers(&MemoryLog::new()).await;
    let mut watch = map.watch_prefix("a").every_revision(2);
    for value in 0..10 {
        map.put("a", value).await.unwrap();
        map.put("other", value).await.unwrap();
    }
    let mut shown = Vec::new();
    while let Some(changes) = watch.try_next() {
        shown.push((changes.cause(), seen(&changes)));
    }
    let net = vec![changed("a", None, Some(9))];
    assert_eq!(shown, [(Cause::Coalesced, net)]);
    map.put("other", 10).await.unwrap();
    map.put("a", 10).await.unwrap();
    let changes = within("a step", watch.next()).await.unwrap();
    assert_eq!(changes.cause(), Cause::Step, "steps again");
    assert_eq!(seen(&changes), [changed("a", Some(9), Some(10))]);
}

#[tokio::test]
async fn wait_for_returns_the_view_that_satisfies() {
    let (log, map) = fresh().await;
    let view = answered_after(map.wait_for(|view| view.len() == 2), async {
        map.put("a", 1).await.unwrap();
        write_raw(&log, "numbers", "b", b"1").await;
    });
    let view = view.await.unwrap();
    assert_eq!(view.len(), 2);
    let head = write_raw(&log, "elsewhere", "x", b"1").await;
    // Progress without a change is enough.
    let reached = map.wait_for(|view| view.position().covers(head));
    let view = within("the position", reached).await.unwrap();
    assert!(view.position().covers(head));
    write_raw(&log, "numbers", "bad", b"bad").await;
    let listed = map.wait_for(|view| view.quarantine().count() == 1);
    within("the quarantine", listed).await.unwrap();
    map.close().await;
    let refused = within("the end", map.wait_for(|_| false)).await;
    fails_with(refused, ErrorKind::Closed);
}

#[tokio::test]
async fn every_revision_takes_any_number_of_steps_to_keep() {
    let map = numbers(&MemoryLog::new()).await;
    for buffer in [0, 1, usize::MAX] {
        let mut watch = map.watch().every_revision(buffer);
        map.put("a", 1).await.unwrap();
        let changes = within("a step", watch.next()).await.unwrap();
        assert_eq!(changes.cause(), Cause::Step, "{buffer}");
    }
}

#[tokio::test]
async fn a_slow_watch_of_every_revision_catches_up_under_load() {
    let map = numbers(&MemoryLog::new()).await;
    let mut watch = map.watch().every_revision(4);
    let mut shown = Vec::new();
    // Ten revisions for each look: it can never keep up.
    for value in 0..1_000 {
        map.put("a", value).await.unwrap();
        if value % 10 == 9 {
            let changes = watch.try_next().expect("there is always something");
            shown.push((value, changes.cause(), seen(&changes)[0].2));
        }
    }
    for (newest, cause, seen) in shown {
        let stands = (Cause::Coalesced, Some(newest));
        assert_eq!((cause, seen), stands, "what stands when it looks");
    }
}

#[tokio::test(start_paused = true)]
async fn wait_for_wakes_at_a_resync_of_the_same_position() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = brisk(&around).await;
    // A batch is lost: the map stands where the log does, without what it should show.
    around.distort(|batch| vec![Batch::progress(batch.revision)]);
    let lost = write_raw(&log, "numbers", "k", b"7").await;
    let past = map.wait_for(|view| view.position() == lost);
    within("it has gone past", past).await.unwrap();
    around.be_honest();
    // The conflict shows that something is missing; the snapshot that mends it is at the very same position.
    let waiting = map.wait_for(|view| view.contains_key("k"));
    let both = futures::future::join(waiting, map.create("k", 1));
    let (view, create) = within("it is woken", both).await;
    conflicts(create);
    let view = view.unwrap();
    assert_eq!(view.position(), lost, "nothing else was written");
}
