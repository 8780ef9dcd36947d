//! Values that are bad: refused before they are sent and where they arrive, and all agree on what is shown instead.

use globe::settings::Source;
use globe::{ErrorKind, MemoryLog};
use serde_json::json;

use crate::rig::{Around, fails_with, until};
use crate::{
    a_while, complains, complaint, delete, history, limit, one, put, recorded, settings, shows,
};

/// Nonsense of all kinds: what is no JSON, what is no number, and what the check refuses.
const BAD: [&str; 4] = ["no json", "\"text\"", "{\"a\":1}", "1001"];

#[tokio::test(start_paused = true)]
async fn a_bad_value_is_neither_published_nor_shown() {
    let (log, limit) = one().await;
    let at = log.head_position();
    let error = fails_with(limit.publish("global", 1_001).await, ErrorKind::Invalid);
    assert!(
        error.to_string().contains("it is more than a thousand"),
        "{error}"
    );
    fails_with(
        limit.patch("global", json!("text")).await,
        ErrorKind::Invalid,
    );
    fails_with(
        limit.rollout("global", 1_001).start().await,
        ErrorKind::Invalid,
    );
    assert_eq!(log.head_position(), at);

    limit.publish("global", 7).await.unwrap();
    for bad in BAD {
        put(&log, "global", bad).await;
        complains(&limit, "global").await;
        assert_eq!(*limit.get(), 7, "{bad}");
        // A good one heals it.
        put(&log, "global", "8").await;
        shows(&limit, 8).await;
        assert_eq!(complaint(&limit, "global"), None);
        put(&log, "global", "7").await;
        shows(&limit, 7).await;
    }
}

/// Also who comes only afterwards.
#[tokio::test(start_paused = true)]
async fn nodes_agree_on_the_last_good_value() {
    for bad in BAD {
        let (log, early) = one().await;
        early.publish("global", 5).await.unwrap();
        early.publish("global", 7).await.unwrap();
        put(&log, "global", bad).await;
        complains(&early, "global").await;
        let late = limit(&settings(&log, "web-8").await);
        complains(&late, "global").await;
        assert_eq!((*early.get(), *late.get()), (7, 7), "{bad}");
        a_while().await;
        assert_eq!((*early.get(), *late.get()), (7, 7), "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_put_by_hand_is_the_last_good_value_as_well() {
    for bad in &BAD[1..] {
        let (log, early) = one().await;
        put(&log, "global", "5").await;
        shows(&early, 5).await;
        // At once: nobody has put the good one into the history yet.
        put(&log, "global", bad).await;
        complains(&early, "global").await;
        assert_eq!(*early.get(), 5, "{bad}");
        assert_eq!(*early.get().source(), Source::LastGood("global".to_owned()));
        a_while().await;
        let late = limit(&settings(&log, "web-8").await);
        assert_eq!((*early.get(), *late.get()), (5, 5), "{bad}");
        assert_eq!(recorded(&log).await, 1);
    }
}

/// The history goes on while this process is cut off: what it saw last is not the last good value any more.
#[tokio::test(start_paused = true)]
async fn nodes_agree_on_what_came_and_went_unseen() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    let early = limit(&settings(&way, "web-7").await);
    let other = limit(&settings(&log, "web-8").await);
    early.publish("global", 1).await.unwrap();
    shows(&other, 1).await;
    way.cut(true);
    other.publish("global", 2).await.unwrap();
    put(&log, "global", "1001").await;
    complains(&other, "global").await;
    way.cut(false);
    complains(&early, "global").await;
    assert_eq!((*early.get(), *other.get()), (2, 2));
}

/// What is no JSON is kept out by the map, which asks the log for the last good value: one that has forgotten cannot say.
#[tokio::test(start_paused = true)]
async fn nodes_agree_also_when_the_log_has_forgotten_what_stood_there() {
    for by_hand in [false, true] {
        let (log, early) = one().await;
        if by_hand {
            put(&log, "global", "7").await;
            shows(&early, 7).await;
            a_while().await;
        } else {
            early.publish("global", 7).await.unwrap();
        }
        put(&log, "global", "no json").await;
        log.compact(log.head_position().revision).unwrap();
        complains(&early, "global").await;
        let late = limit(&settings(&log, "web-8").await);
        complains(&late, "global").await;
        assert_eq!((*early.get(), *late.get()), (7, 7));
        assert_eq!(*late.get().source(), *early.get().source());
        a_while().await;
        assert_eq!((*early.get(), *late.get()), (7, 7));
        assert_eq!(recorded(&log).await, 1, "nobody took it for cleared");
        assert_eq!(history(&late, "global"), [None, Some(7)]);
        late.publish("global", 8).await.unwrap();
        assert_eq!(history(&late, "global"), [Some(8), Some(7)]);
        assert!(late.problems().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_good_value_the_next_layer_counts() {
    let (log, early) = one().await;
    put(&log, "region:eu", "7").await;
    shows(&early, 7).await;
    put(&log, "host:web-7", "1001").await;
    complains(&early, "host:web-7").await;
    assert_eq!(*early.get(), 7);
    // What was cleared is no good value.
    early.publish("host:web-7", 3).await.unwrap();
    early.clear("host:web-7").await.unwrap();
    put(&log, "host:web-7", "1002").await;
    complains(&early, "host:web-7").await;
    assert_eq!(*early.get(), 7);
    assert_eq!(*limit(&settings(&log, "web-7").await).get(), 7);
    delete(&log, "host:web-7").await;
    until("nothing is wrong", || early.problems().is_empty()).await;
}

/// Each process knows its own checks: an older program may refuse what a newer one publishes.
#[tokio::test(start_paused = true)]
async fn a_program_with_another_check_keeps_its_own_last_good_value() {
    let (log, strict) = one().await;
    let lax = settings(&log, "admin")
        .await
        .declare("http.limit", 0_u64)
        .open()
        .unwrap();
    lax.publish("global", 500).await.unwrap();
    lax.publish("global", 5_000).await.unwrap();
    complains(&strict, "global").await;
    assert_eq!((*strict.get(), *lax.get()), (500, 5_000));
    assert_eq!(history(&strict, "global"), [None, Some(500)]);
    assert_eq!(history(&lax, "global"), [Some(5_000), Some(500)]);
}

/// Whatever stands below a setting's name.
#[tokio::test(start_paused = true)]
async fn records_that_are_nonsense_are_named_and_do_no_harm() {
    let (log, limit) = one().await;
    limit.publish("global", 7).await.unwrap();
    let nonsense = [
        ("global/rollout", "{\"value\":9}"),
        ("global/rollout", "{\"value\":9,\"percent\":101}"),
        ("global/rollout", "{\"value\":9,\"percent\":\"all\"}"),
        ("global/rollout", "nonsense"),
        ("global/was/0000000005", "7"),
        ("global/was/0000000006", "nonsense"),
        ("global/was/6", "{}"),
        ("global/was", "{}"),
        ("global/was/9999999999", "{}"),
        ("global/", "9"),
        ("global//", "9"),
    ];
    for (key, value) in nonsense {
        put(&log, key, value).await;
        complains(&limit, key).await;
        assert_eq!(*limit.get(), 7, "{key}");
        limit.publish("global", 7).await.unwrap();
    }
    // The history goes on beyond what is taken.
    limit.publish("global", 8).await.unwrap();
    assert_eq!(history(&limit, "global")[..2], [Some(8), Some(7)]);
    let json = serde_json::to_string(&limit.problems()).unwrap();
    assert!(
        json.contains(r#""at":"http.limit/global/was/6","why":"no record of a setting""#),
        "{json}"
    );
}

/// What a problem says may be seen by more people than the value.
#[tokio::test(start_paused = true)]
async fn problems_never_show_a_value() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let port = settings.declare("http.limit", 80_u16).open().unwrap();
    for secret in ["\"hunter2\"", "hunter2", "[\"hunter2\"]", "{\"hunter2\":1}"] {
        put(&log, "global", secret).await;
        until("it is refused", || !port.problems().is_empty()).await;
        let shown = format!("{:?} {:?} {port:?}", port.problems(), port.explain());
        assert!(!shown.contains("hunter2"), "{shown}");
        delete(&log, "global").await;
        until("it is gone", || port.problems().is_empty()).await;
    }
    assert!(settings.problems().is_empty());
}
