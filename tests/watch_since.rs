//! Watches that begin with a view: of this handle, of another one, of one that is ahead.
//!
//! Only the beginning: what comes after it is `watches.rs`'s, and the end `watch_ends.rs`'s.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use futures::FutureExt;
use globe::{Cause, Consistency, MemoryLog};
use rig::shown::{changed, next, seen};
use rig::{Around, numbers, until, write_raw};

#[tokio::test(start_paused = true)]
async fn a_watch_since_a_view_of_any_handle_shows_first_what_has_changed_since() {
    let log = MemoryLog::new();
    let (one, other) = (numbers(&log).await, numbers(&log).await);
    // Counters of the two differ: one has seen much more than the other.
    for value in 0..50 {
        one.put("busy", value).await.unwrap();
    }
    one.put("gone", 1).await.unwrap();
    let reopened = numbers(&log).await;
    let view = one.view();
    one.delete("gone").await.unwrap();
    let last = one.put("new", 2).await.unwrap().position();
    let expected = [
        changed("gone", Some(1), None),
        changed("new", None, Some(2)),
    ];
    for map in [&one, &other, &reopened] {
        map.view_at(Consistency::AtLeast(last)).await.unwrap();
        for mut watch in [
            map.watch().since(&view),
            map.watch().every_revision(8).since(&view),
        ] {
            let changes = next(&mut watch).await;
            assert_eq!(seen(&changes), expected);
            assert_eq!((changes.from(), changes.to()), (view.position(), last));
            assert_eq!(changes.cause(), Cause::Coalesced);
            assert!(watch.try_next().is_none());
        }
        let mut of_key = map.watch_key("new").since(&view);
        assert_eq!(
            seen(&next(&mut of_key).await),
            [changed("new", None, Some(2))]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_commits_since_a_view_of_another_handle_are_no_step() {
    let log = MemoryLog::new();
    let view = numbers(&log).await.view();
    for key in ["a", "b"] {
        write_raw(&log, "numbers", key, b"1").await;
    }
    // It has published once since it began, as that of the view would have after one commit.
    let fresh = numbers(&log).await;
    let changes = next(&mut fresh.watch().since(&view)).await;
    assert_eq!(changes.as_slice().len(), 2);
    assert_eq!(changes.cause(), Cause::Coalesced);
}

#[tokio::test(start_paused = true)]
async fn a_watch_since_a_view_that_is_ahead_waits_until_it_is_reached() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let (ahead, behind) = (numbers(&log).await, numbers(&around).await);
    log.hold_tails(true);
    for (key, value) in [("a", 1), ("b", 2)] {
        write_raw(&log, "numbers", key, value.to_string()).await;
    }
    log.hold_tails(false);
    around.cut(true);
    until("one is ahead", || ahead.len() == 2).await;
    let mut watch = behind.watch().since(&ahead.view());
    assert!(watch.try_next().is_none(), "nothing goes back");
    assert!(watch.next().now_or_never().is_none());
    around.cut(false);
    let last = ahead.put("c", 3).await.unwrap().position();
    behind.view_at(Consistency::AtLeast(last)).await.unwrap();
    assert_eq!(seen(&next(&mut watch).await), [changed("c", None, Some(3))]);
}
