//! Bad input gets a typed error that says what was wrong, and every setting is read by somebody.
//!
//! Nothing here reaches a log that is broken: those tests are in `outages.rs` and `broken_contract.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod rig;

use std::time::Duration;

use globe::{Capabilities, Consistency, ErrorKind, Globe, MemoryLog, Phase};
use rig::{Around, Calls, numbers, until, within, write_raw};
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
        assert_eq!(*started.unwrap_err().kind(), ErrorKind::Invalid);
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
        assert_eq!(*builder.start().unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert!(builder(&MemoryLog::new()).deadline(day).start().is_ok());
    let map = numbers(&MemoryLog::new()).await;
    let error = map
        .view_at(Consistency::Within(Duration::ZERO))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Invalid);
    assert!(
        map.view_at(Consistency::Within(Duration::MAX))
            .await
            .is_ok()
    );
}

#[test]
fn a_map_outside_a_runtime_is_refused() {
    let error = builder(&MemoryLog::new()).start().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("runtime"), "{error}");
}

#[tokio::test]
async fn what_is_over_a_limit_is_refused_with_the_limit_and_the_key() {
    let mut limits = Capabilities::full("small");
    (limits.max_value_bytes, limits.max_key_bytes) = (100, 20);
    (limits.max_operations, limits.max_transaction_bytes) = (10, 400);
    let log = MemoryLog::builder().capabilities(limits).build();
    let map: Globe<String, String> = Globe::open(log.clone(), "texts").await.unwrap();
    map.put("there", "x".into()).await.unwrap();
    let before = log.head_position();
    let big = || "x".repeat(200);
    let long = || "k".repeat(21);
    let refused = [
        (map.put("big", big()).await.map(drop), 100, "texts/big"),
        (map.create("big", big()).await.map(drop), 100, "texts/big"),
        (
            map.update("big", |_| big()).await.map(drop),
            100,
            "texts/big",
        ),
        (map.put(long(), "x".into()).await.map(drop), 20, "texts/kkk"),
        (map.delete(long()).await.map(drop), 20, "texts/kkk"),
        (
            map.put_all([("ok".into(), "x".into()), ("big".into(), big())])
                .await
                .map(drop),
            100,
            "texts/big",
        ),
        // The others are of transactions of their own.
        (
            map.put_all((0..30).map(|key| (format!("k{key:02}"), "x".repeat(key * 5))))
                .await
                .map(drop),
            100,
            "texts/k2",
        ),
        (
            map.transact(|txn| {
                (0..11).try_for_each(|key| txn.put(&map, format!("k{key}"), "x".into()))
            })
            .await
            .map(drop),
            10,
            "10",
        ),
        (
            map.transact(|txn| {
                (0..11).try_for_each(|key| txn.get(&map, format!("k{key}")).map(drop))
            })
            .await
            .map(drop),
            10,
            "10",
        ),
        (
            map.transact(|txn| {
                (0..9).try_for_each(|key| txn.put(&map, format!("k{key}"), "x".repeat(60)))
            })
            .await
            .map(drop),
            400,
            "400",
        ),
    ];
    for (number, (outcome, most, words)) in refused.into_iter().enumerate() {
        let error = outcome.unwrap_err();
        let ErrorKind::TooLarge { limit, actual, .. } = *error.kind() else {
            panic!("{number}: {error}");
        };
        assert!(limit == most && actual > most, "{number}: {error}");
        assert!(error.to_string().contains(words), "{number}: {error}");
        assert!(
            !error.to_string().contains("xxxx"),
            "{number}: no value is shown"
        );
    }
    assert_eq!(
        log.head_position(),
        before,
        "nothing was written, not even in part"
    );
    assert_eq!(map.len(), 1);
}

#[tokio::test]
async fn a_key_that_cannot_be_encoded_is_refused_everywhere() {
    let log = MemoryLog::new();
    let map = numbers(&log).await;
    let before = log.head_position();
    let refused = [
        map.put("", 1).await.map(drop),
        map.create("", 1).await.map(drop),
        map.delete("").await.map(drop),
        map.update("", |_| 1).await.map(drop),
        map.put_all([("ok".into(), 1), (String::new(), 1)])
            .await
            .map(drop),
        map.transact(|txn| txn.put(&map, "", 1)).await.map(drop),
        map.transact(|txn| txn.get(&map, "").map(drop))
            .await
            .map(drop),
    ];
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Codec);
        assert!(
            error.to_string().contains("numbers") && error.to_string().contains("empty"),
            "{error}"
        );
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
        let heads = Calls::of(&around.calls().heads);
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
        attempts.push(Calls::of(&around.calls().snapshots));
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
    assert_eq!(*map.hydrated().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(map.status().phase, Phase::Closed);
}
