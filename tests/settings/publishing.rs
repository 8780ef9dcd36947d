//! Publishing: visible here on return, once, whole, and true about what it replaced.

use futures::FutureExt;
use globe::{ErrorKind, MemoryLog};

use crate::rig::{Around, fails_with, within, write_many};
use crate::{SPACE, history, limit, one, put, settings, shows};

#[tokio::test(start_paused = true)]
async fn publishing_over_a_newer_value_keeps_what_was_truly_replaced() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    let here = limit(&settings(&way, "web-7").await);
    here.publish("global", 1).await.unwrap();
    let other = log.clone();
    way.before_the_next_commit(move || {
        // What another process publishes at this very moment.
        let published = [
            ("http.limit/global", "2"),
            (
                "http.limit/global/was/0000000001",
                r#"{"value":2,"by":"anna"}"#,
            ),
        ];
        let published = published.map(|(key, value)| (key.to_owned(), value));
        write_many(&other, SPACE, published).now_or_never().unwrap();
    });
    here.publish("global", 3).await.unwrap();
    assert_eq!(history(&here, "global"), [Some(3), Some(2), Some(1)]);
    let past = here.history("global").unwrap();
    assert_eq!(past[1].by(), Some("anna"));
    // By hand, at this very moment.
    let other = log.clone();
    way.before_the_next_commit(move || {
        let by_hand = [("http.limit/global".to_owned(), "4")];
        write_many(&other, SPACE, by_hand).now_or_never().unwrap();
    });
    here.publish("global", 5).await.unwrap();
    assert_eq!(history(&here, "global")[..3], [Some(5), Some(4), Some(3)]);
}

#[tokio::test(start_paused = true)]
async fn a_publish_is_one_round_trip_and_a_read_none() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    let limit = limit(&settings(&way, "web-7").await);
    limit.publish("global", 0).await.unwrap();
    let before = way.calls().commits;
    for value in 0..20 {
        limit.publish("global", value).await.unwrap();
        assert_eq!(*limit.get(), value);
    }
    assert_eq!(way.calls().commits - before, 20);
    crate::a_while().await;
    assert_eq!(
        way.calls().commits - before,
        20,
        "nothing was missing in the history"
    );
}

/// The value with its history, or neither.
#[tokio::test(start_paused = true)]
async fn a_publish_that_is_dropped_is_whole_or_not_at_all() {
    for loses in [
        Around::lose_requests as fn(&Around, bool),
        Around::lose_replies,
    ] {
        let log = MemoryLog::new();
        let way = Around::new(&log);
        let here = limit(&settings(&way, "web-7").await);
        here.publish("global", 1).await.unwrap();
        loses(&way, true);
        let publishing = tokio::time::timeout(crate::SECOND, here.publish("global", 2));
        assert!(publishing.await.is_err());
        let there = limit(&settings(&log, "web-8").await);
        let (value, history) = (*there.get(), history(&there, "global"));
        let whole = value == 2 && history == [Some(2), Some(1)];
        assert!(
            whole || value == 1 && history == [Some(1)],
            "{value}, {history:?}"
        );
        shows(&here, value).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_write_reads_on_and_is_told() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    let here = limit(&settings(&way, "web-7").await);
    way.refuse_key("http.limit/global/was/0000000000");
    put(&log, "global", "5").await;
    shows(&here, 5).await;
    // It would put it into the history, and may not.
    crate::a_while().await;
    assert_eq!(crate::recorded(&log).await, 0);
    fails_with(here.publish("global", 6).await, ErrorKind::Denied);
    assert_eq!(*here.get(), 5);
}

#[tokio::test(start_paused = true)]
async fn two_handles_of_one_process_show_the_same() {
    let (_log, limit) = one().await;
    let other = limit.clone();
    let mut cached = other.cached();
    assert_eq!(*cached.get(), 100);
    within("it is published", limit.publish("global", 7))
        .await
        .unwrap();
    assert_eq!(
        (*other.get(), *cached.get(), *cached.clone().get()),
        (7, 7, 7)
    );
}

/// A value that is too large for the log is refused by it, and nothing has changed.
#[tokio::test(start_paused = true)]
async fn what_the_log_cannot_take_is_not_published() {
    let log = MemoryLog::new();
    let text = settings(&log, "web-7")
        .await
        .declare("text", String::new())
        .open()
        .unwrap();
    let error = text
        .publish("global", "x".repeat(4 << 20))
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error}"
    );
    assert_eq!(
        (text.get().len(), text.history("global").unwrap().len()),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn who_publishes_by_a_handle_of_his_own_is_named_and_nobody_else_is() {
    let (_log, limit) = one().await;
    let anna = limit.by("anna");
    anna.publish("global", 200).await.unwrap();
    assert_eq!((*limit.get(), *anna.get()), (200, 200), "one and the same");
    limit.publish("global", 300).await.unwrap();
    let by = |number: usize| {
        let past = limit.history("global").unwrap();
        past[number].by().map(str::to_owned)
    };
    assert_eq!(by(0).as_deref(), Some("web-7"), "who opened the settings");
    assert_eq!(by(1).as_deref(), Some("anna"));
    // Clones are of the same person; so is what he begins.
    let staged = anna.clone().rollout("global", 400).percent(100);
    staged.start().await.unwrap().finish().await.unwrap();
    assert_eq!(by(0).as_deref(), Some("anna"));
    limit.by("bert").undo("global", 1).await.unwrap();
    assert_eq!(limit.explain().fields[0].by.as_deref(), Some("bert"));
}
