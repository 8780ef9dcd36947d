//! Bad input gets a typed error that says what was wrong, and every setting is read by somebody.
//!
//! Nothing here reaches a log that is broken: those tests are in `outages.rs` and `broken_contract.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use globe::{Capabilities, Consistency, ErrorKind, Globe, MemoryLog, Phase};
use rig::every::{all_fail_with, every_put, every_write};
use rig::{Around, fails_with, fresh, numbers, until, within, write_raw};
use tokio::time::{Instant, sleep};

type Numbers = Globe<String, u64>;
type Builder = globe::Builder<String, u64>;

const SECOND: Duration = Duration::from_secs(1);

fn builder(log: &(impl globe::LogClient + Clone)) -> Builder {
    Globe::builder(log.clone(), "numbers")
}

#[tokio::test]
async fn a_bad_keyspace_is_refused_by_name() {
    let long = "x".repeat(129);
    let bad = [
        ("", "empty"),
        ("a/b", "'/'"),
        (".globe", "dot"),
        ("a b", "' '"),
        (&long, "128"),
    ];
    for (name, why) in bad {
        let error = Globe::<String, u64>::open(MemoryLog::new(), name)
            .await
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Invalid, "{name:?}");
        assert!(error.to_string().contains(why), "{name:?}: {error}");
        let started = Globe::<String, u64>::builder(MemoryLog::new(), name).start();
        fails_with(started, ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn a_bad_url_is_refused_and_says_which_part() {
    let expect = |outcome: globe::Result<Numbers>, kind: ErrorKind, words: &[&str]| {
        let error = outcome.unwrap_err();
        assert_eq!(*error.kind(), kind, "{error}");
        words
            .iter()
            .for_each(|word| assert!(error.to_string().contains(word), "{word}: {error}"));
    };
    let connect = async |url| Globe::connect(url, "numbers").await;
    expect(
        connect("").await,
        ErrorKind::Invalid,
        &["scheme", "memory:", "etcd://"],
    );
    expect(connect("flags.db").await, ErrorKind::Invalid, &["scheme"]);
    expect(connect("memory:x").await, ErrorKind::Invalid, &["memory:"]);
    expect(
        connect("zookeeper://u:hunter2@h").await,
        ErrorKind::Unsupported,
        &["zookeeper", "memory:", "feature `etcd`"],
    );
    #[cfg(not(feature = "etcd"))]
    expect(
        connect("etcd://u:hunter2@h:2379").await,
        ErrorKind::Unsupported,
        &["feature `etcd`"],
    );
    let error = connect("zookeeper://u:hunter2@h").await.unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "no secret of a URL is shown"
    );
    let map = connect("memory:").await.unwrap();
    map.put("a", 1).await.unwrap();
    assert!(
        connect("memory:").await.unwrap().is_empty(),
        "each is a log of its own"
    );
}

#[tokio::test]
async fn zero_and_absurd_durations_are_refused_by_name() {
    type Set = fn(Builder, Duration) -> Builder;
    let settings: [(&str, Set); 7] = [
        ("open_timeout", Builder::open_timeout),
        ("deadline", Builder::deadline),
        ("probe_interval", Builder::probe_interval),
        ("stale_after", Builder::stale_after),
        ("tail_timeout", Builder::tail_timeout),
        ("shortest retry", |builder, time| {
            builder.retry(time, SECOND)
        }),
        ("longest retry", |builder, time| {
            builder.retry(Duration::from_millis(1), time)
        }),
    ];
    let day = 24 * 60 * 60 * SECOND;
    for (name, set) in settings {
        for absurd in [Duration::ZERO, Duration::MAX, day + Duration::from_nanos(1)] {
            let error = set(builder(&MemoryLog::new()), absurd).start().unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Invalid, "{name} {absurd:?}");
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }
    let contradictions = [
        builder(&MemoryLog::new()).stale_after(SECOND / 10),
        builder(&MemoryLog::new()).retry(2 * SECOND, SECOND),
    ];
    for builder in contradictions {
        fails_with(builder.start(), ErrorKind::Invalid);
    }
    assert!(builder(&MemoryLog::new()).deadline(day).start().is_ok());
    let map = numbers(&MemoryLog::new()).await;
    let refused = map.view_at(Consistency::Within(Duration::ZERO)).await;
    fails_with(refused, ErrorKind::Invalid);
    assert!(
        map.view_at(Consistency::Within(Duration::MAX))
            .await
            .is_ok()
    );
}

/// It is refused with the limit, and not with the value; how much it was.
#[track_caller]
fn is_too_large<T>(outcome: globe::Result<T>, most: usize, words: &str) -> usize {
    let Err(error) = outcome else {
        panic!("it should be too large: {words}");
    };
    let ErrorKind::TooLarge { limit, actual, .. } = *error.kind() else {
        panic!("{error}");
    };
    assert!(limit == most && actual > most, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(!error.to_string().contains("xxxx"), "no value is shown");
    actual
}

#[tokio::test]
async fn what_is_over_a_limit_is_refused_with_the_limit_and_the_key() {
    let mut limits = Capabilities::full("small");
    (limits.max_value_bytes, limits.max_key_bytes) = (100, 20);
    (limits.max_operations, limits.max_transaction_bytes) = (10, 400);
    let log = MemoryLog::builder().capabilities(limits).build();
    let map: Globe<String, String> = Globe::open(log.clone(), "texts").await.unwrap();
    map.put("big", "x".into()).await.unwrap();
    let before = log.head_position();
    let big = || "x".repeat(200);
    let long = || "k".repeat(21);
    let part = map.put_all([("ok".into(), "x".into()), ("big".into(), big())]);
    is_too_large(part.await, 100, "texts/big");
    // The others are of transactions of their own.
    let parts = map.put_all((0..30).map(|n| (format!("k{n:02}"), "x".repeat(n * 5))));
    is_too_large(parts.await, 100, "texts/k2");
    for (_, outcome) in every_put(&map, || "big".to_owned(), big).await {
        is_too_large(outcome, 100, "texts/big");
    }
    is_too_large(map.put(long(), "x".into()).await, 20, "texts/kkk");
    is_too_large(map.delete(long()).await, 20, "texts/kkk");
    let key = |number| format!("k{number}");
    let puts = map.transact(|txn| (0..13).try_for_each(|n| txn.put(&map, key(n), "x".into())));
    assert_eq!(is_too_large(puts.await, 10, "10"), 13);
    let gets = map.transact(|txn| (0..13).try_for_each(|n| txn.get(&map, key(n)).map(drop)));
    assert_eq!(is_too_large(gets.await, 10, "10"), 13);
    let bytes = map.transact(|txn| (0..9).try_for_each(|n| txn.put(&map, key(n), "x".repeat(60))));
    is_too_large(bytes.await, 400, "400");
    assert_eq!(
        log.head_position(),
        before,
        "nothing was written, not even in part"
    );
    assert_eq!(map.len(), 1);
}

#[tokio::test]
async fn a_key_that_cannot_be_encoded_is_refused_everywhere() {
    let (log, map) = fresh().await;
    let before = log.head_position();
    let read = map.transact(|txn| txn.get(&map, "").map(drop)).await;
    let many = map.put_all([("ok".into(), 1), (String::new(), 1)]).await;
    let more = [("get", read.map(drop)), ("put_all", many.map(drop))];
    let refused = every_write(&map, "").await.into_iter().chain(more);
    for error in all_fail_with(refused.collect(), &ErrorKind::Codec) {
        let text = error.to_string();
        assert!(text.contains("numbers") && text.contains("empty"), "{text}");
    }
    assert_eq!(map.get(""), None, "a read of it finds nothing");
    assert_eq!(log.head_position(), before);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_writes_and_waits() {
    let log = MemoryLog::new();
    let map = builder(&log).deadline(7 * SECOND).open().await.unwrap();
    log.hold_tails(true);
    let begun = Instant::now();
    map.put("a", 1).await.unwrap_err();
    assert_eq!(begun.elapsed(), 7 * SECOND);
    map.sync().await.unwrap_err();
    assert_eq!(begun.elapsed(), 14 * SECOND);
    map.transact(|txn| txn.put(&map, "a", 2)).await.unwrap_err();
    assert!(begun.elapsed() <= 21 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_probe_interval_is_how_often_the_log_is_asked() {
    for (interval, asked) in [(SECOND, 60), (5 * SECOND, 12)] {
        let around = Around::new(&MemoryLog::new());
        let _map = builder(&around)
            .probe_interval(interval)
            .stale_after(10 * SECOND)
            .open()
            .await
            .unwrap();
        sleep(60 * SECOND).await;
        let heads = around.calls().heads;
        assert!(
            heads.abs_diff(asked) <= 1,
            "{heads} in a minute, every {interval:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn stale_after_is_when_a_map_is_called_stale() {
    for age in [SECOND, 20 * SECOND] {
        let log = MemoryLog::new();
        let map = builder(&log).stale_after(age).open().await.unwrap();
        sleep(SECOND).await;
        log.set_available(false);
        let cut = Instant::now();
        until("it is stale", || map.status().phase == Phase::Stale).await;
        let took = cut.elapsed();
        assert!(took <= age && took + SECOND >= age, "{took:?} of {age:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_tail_timeout_is_how_long_a_tail_may_be_silent() {
    let mut took = Vec::new();
    for bound in [SECOND / 10, 8 * SECOND] {
        let log = MemoryLog::new();
        let map = builder(&log).tail_timeout(bound).open().await.unwrap();
        log.silence_open_tails();
        write_raw(&log, "numbers", "a", b"1").await;
        let begun = Instant::now();
        until("the tail is replaced", || map.contains_key("a")).await;
        took.push(begun.elapsed());
    }
    assert!(took[0] <= SECOND && took[1] >= 8 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_is_the_pause_between_attempts() {
    let mut attempts = Vec::new();
    for (shortest, longest) in [
        (SECOND / 10, SECOND / 10),
        (SECOND / 10, 10 * SECOND),
        (10 * SECOND, 10 * SECOND),
    ] {
        let log = MemoryLog::builder().available(false).build();
        let around = Around::new(&log);
        let _map = builder(&around).retry(shortest, longest).start().unwrap();
        sleep(60 * SECOND).await;
        attempts.push(around.calls().snapshots);
    }
    assert!((600..=1201).contains(&attempts[0]), "{attempts:?}");
    assert!((10..=40).contains(&attempts[1]), "{attempts:?}");
    assert!((6..=13).contains(&attempts[2]), "{attempts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_longest_kind_is_cut_short_by_closing() {
    let log = MemoryLog::builder().available(false).build();
    let map = builder(&log)
        .retry(3600 * SECOND, 3600 * SECOND)
        .start()
        .unwrap();
    sleep(SECOND).await;
    let begun = Instant::now();
    within("closing", map.close()).await;
    assert!(begun.elapsed() <= SECOND);
    fails_with(map.hydrated().await, ErrorKind::Closed);
    assert_eq!(map.status().phase, Phase::Closed);
}
