//! Watches that begin with a view: of this handle, of another one, of one that is ahead; and why a watch ended.
//!
//! Only the beginning and the end: what comes in between is `watches.rs`'s.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod rig;

use futures::FutureExt;
use globe::{Cause, Consistency, ErrorKind, Globe, MemoryLog};
use rig::shown::{changed, next, seen};
use rig::{Around, numbers, until, within, write_raw};

#[tokio::test]
async fn a_watch_since_a_view_shows_first_what_has_changed_since() {
    let map = numbers(&MemoryLog::new()).await;
    let view = map.view();
    map.put("a", 1).await.unwrap();
    map.put("b", 2).await.unwrap();
    for mut watch in [
        map.watch().since(&view),
        map.watch().every_revision(8).since(&view),
    ] {
        let changes = next(&mut watch).await;
        assert_eq!(
            seen(&changes),
            [changed("a", None, Some(1)), changed("b", None, Some(2))]
        );
        assert_eq!(changes.cause(), Cause::Coalesced);
        assert!(watch.try_next().is_none());
    }
    let mut of_key = map.watch_key("b").since(&view);
    assert_eq!(
        seen(&next(&mut of_key).await),
        [changed("b", None, Some(2))]
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_since_a_view_of_another_handle_shows_what_has_changed() {
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
        write_raw(&log, "numbers", key, value.to_string().as_bytes()).await;
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

#[tokio::test(start_paused = true)]
async fn a_watch_says_why_it_ended() {
    let log = MemoryLog::new();
    let map = numbers(&log).await;
    let mut watch = map.watch();
    assert!(watch.ended().is_none());
    map.close().await;
    assert!(watch.next().await.is_none());
    assert_eq!(*watch.ended().unwrap().kind(), ErrorKind::Closed);

    let strict = Globe::<String, u64>::builder(log.clone(), "numbers").strict(true);
    let map = strict.open().await.unwrap();
    let mut watch = map.watch();
    write_raw(&log, "numbers", "a", b"bad").await;
    assert!(within("the end", watch.next()).await.is_none());
    assert_eq!(*watch.ended().unwrap().kind(), ErrorKind::Codec);
}
