//! What cannot be meant is refused, by name.

use globe::settings::Scope;
use globe::{ErrorKind, MemoryLog, Settings};

use crate::rig::fails_with;
use crate::{SPACE, one, scope, settings};

#[tokio::test(start_paused = true)]
async fn a_scope_that_is_none_is_refused() {
    let table = [
        (Scope::new(""), "no characters"),
        (scope("a").layer("region", "us"), "more than one region"),
        (scope("a").label("region", "us"), "more than one region"),
        (scope("a").layer("host", "b"), "more than one host"),
        (scope("a").layer("global", "b"), "more than one global"),
        (scope("a").layer("", "b"), "is no layer or label"),
        (scope("a").layer("zone", ""), "is no layer or label"),
        (scope("a").layer("zone:a", "b"), "is no layer or label"),
    ];
    for (scope, why) in table {
        let opened = Settings::open(MemoryLog::new(), SPACE, scope.clone()).await;
        let error = fails_with(opened, ErrorKind::Invalid);
        assert!(error.to_string().contains(why), "{error}");
        let started = Settings::builder(MemoryLog::new(), SPACE, scope).start();
        fails_with(started, ErrorKind::Invalid);
    }
    for keep in [0, 1, 1_001] {
        let opened = Settings::builder(MemoryLog::new(), SPACE, scope("a"))
            .keep(keep)
            .start();
        let error = fails_with(opened, ErrorKind::Invalid);
        assert!(error.to_string().contains("2 to 1000"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_or_default_that_is_none_is_refused() {
    let settings = settings(&MemoryLog::new(), "web-7").await;
    for name in [String::new(), "x".repeat(513)] {
        fails_with(settings.declare(&name, 1).open(), ErrorKind::Invalid);
    }
    let refused = settings
        .declare("a", 1)
        .check(|_| Err("never".to_owned()))
        .open();
    let error = fails_with(refused, ErrorKind::Invalid);
    assert!(
        error
            .to_string()
            .contains("the default of a is refused: never"),
        "{error}"
    );
    fails_with(settings.declare("a", u128::MAX).open(), ErrorKind::Codec);
    // JSON has no such number, and would make `null` of it.
    fails_with(settings.declare("a", f64::NAN).open(), ErrorKind::Invalid);
    assert!(settings.problems().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_layer_or_percentage_is_refused() {
    let (log, limit) = one().await;
    let at = log.head_position();
    for layer in ["", "globe", "region", "region:", ":eu"] {
        let error = fails_with(limit.publish(layer, 1).await, ErrorKind::Invalid);
        assert!(error.to_string().contains("is no layer"), "{error}");
        fails_with(limit.clear(layer).await, ErrorKind::Invalid);
        fails_with(limit.undo(layer, 1).await, ErrorKind::Invalid);
        fails_with(limit.history(layer), ErrorKind::Invalid);
        fails_with(limit.staged(layer), ErrorKind::Invalid);
        fails_with(limit.rollout(layer, 1).start().await, ErrorKind::Invalid);
    }
    for percent in [-1.0, 100.1, f64::NAN, f64::INFINITY] {
        let error = fails_with(
            limit.rollout("global", 1).percent(percent).start().await,
            ErrorKind::Invalid,
        );
        assert!(error.to_string().contains("no percentage"), "{error}");
        let check = async |_: f64| Ok(());
        let run = limit
            .rollout("global", 1)
            .run(&[1.0, percent], crate::SECOND, check)
            .await;
        fails_with(run, ErrorKind::Invalid);
    }
    let run = limit
        .rollout("global", 1)
        .run::<f64>(&[], crate::SECOND, async |_| Ok(()))
        .await;
    fails_with(run, ErrorKind::Invalid);
    limit.clear("global").await.unwrap();
    assert_eq!(log.head_position(), at, "nothing was written");
}

#[test]
fn settings_need_a_runtime() {
    let started = Settings::builder(MemoryLog::new(), SPACE, scope("web-7")).start();
    fails_with(started, ErrorKind::Invalid);
}
