//! Many watches, many runtimes, a long stop, and keys that are no text: what was tried and found well stays so.
//!
//! Never a measurement of time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use globe::log_client::{Bytes, Transaction};
use globe::{Globe, Key, LogClient, MemoryLog, Phase};

use crate::rig::{Around, delete_raw, in_a_gap, keyspace, numbers, open, until, within, write_raw};
use crate::traps::{Neighbour, lives_on, on_every_runtime, panics, some_numbers};

/// How many keys there are of the type below, wherever they are kept.
static KEYS: AtomicUsize = AtomicUsize::new(0);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Counted(u64);

impl Counted {
    fn new(number: u64) -> Counted {
        KEYS.fetch_add(1, Ordering::SeqCst);
        Counted(number)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        Counted::new(self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        KEYS.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Key for Counted {
    fn encode(&self) -> globe::Result<String> {
        self.0.encode()
    }

    fn decode(text: &str) -> globe::Result<Counted> {
        u64::decode(text).map(Counted::new)
    }
}

#[tokio::test]
async fn a_hundred_thousand_watches_made_and_dropped_leave_nothing() {
    let map: Globe<Counted, u64> = open(&MemoryLog::new(), "numbers").await;
    map.put(Counted::new(1), 0).await.unwrap();
    let kept = KEYS.load(Ordering::SeqCst);
    for round in 1..=4 {
        let mut of_keys: Vec<_> = (0..20_000)
            .map(|key| map.watch_key(Counted::new(key % 5_000)))
            .collect();
        let mut of_all: Vec<_> = (0..5_000).map(|_| map.watch()).collect();
        map.put(Counted::new(1), round).await.unwrap();
        let heard = of_keys.iter_mut().filter_map(|watch| watch.try_next());
        assert_eq!(heard.count(), 4, "those of that key, and no others");
        let heard = of_all.iter_mut().filter_map(|watch| watch.try_next());
        assert_eq!(heard.count(), 5_000);
        // In another order than they came.
        let rest = of_keys.split_off(10_000);
        drop((of_all, rest, of_keys));
        let there = KEYS.load(Ordering::SeqCst);
        assert_eq!(there, kept, "no watch has left its key behind");
    }
    let mut last = map.watch_key(Counted::new(1));
    map.put(Counted::new(1), 9).await.unwrap();
    assert!(last.try_next().is_some());
}

#[test]
fn one_log_is_shared_by_many_runtimes_and_outlives_any_of_them() {
    const RUNTIMES: u64 = 22;
    let log = MemoryLog::new();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    };
    let open = |number| {
        let runtime = runtime();
        let map = runtime.block_on(async {
            let map = numbers(&log).await;
            map.put(format!("of {number:02}"), number).await.unwrap();
            map
        });
        (runtime, map)
    };
    let mut all: Vec<_> = (0..RUNTIMES).map(open).collect();
    let see = |all: &[(tokio::runtime::Runtime, Globe<String, u64>)], count: usize| {
        for (runtime, map) in all {
            runtime.block_on(async {
                within("all is here", map.sync()).await.unwrap();
                assert_eq!(map.len(), count);
                lives_on(map).await;
            });
        }
    };
    see(&all, 22);
    while all.len() > 2 {
        let (runtime, map) = all.remove(all.len() / 2);
        match all.len() % 3 {
            0 => drop(runtime),
            1 => runtime.shutdown_background(),
            _ => runtime.block_on(map.close()),
        }
        assert_eq!(map.len(), 22, "what it showed last");
    }
    let (runtime, map) = &all[0];
    runtime.block_on(map.put("late", 1)).unwrap();
    see(&all, 23);
}

#[test]
fn a_runtime_that_ends_by_a_panic_of_others_closes_its_maps() {
    for threads in [0, 1] {
        let kept = std::sync::Mutex::new(None);
        let ended = panics(|| {
            let mut builder = match threads {
                0 => tokio::runtime::Builder::new_current_thread(),
                _ => tokio::runtime::Builder::new_multi_thread(),
            };
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(async {
                let map = numbers(&MemoryLog::new()).await;
                *kept.lock().unwrap() = Some(map);
                tokio::task::yield_now().await;
            });
            panic!("a bug elsewhere");
        });
        assert!(ended);
        let map = kept.into_inner().unwrap().unwrap();
        assert_eq!(map.status().phase, Phase::Closed, "and not failed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_eighty_seconds_costs_nothing_but_the_time() {
    let log = some_numbers().await;
    let map = numbers(&log).await;
    let mut watch = map.watch();
    let lease = log.grant(Duration::from_secs(30)).await.unwrap();
    let leased = Transaction::new().put_leased(&keyspace("numbers"), "mine", "1", lease.id);
    log.commit(leased).await.unwrap();
    until("it is here", || map.len() == 3).await;
    drop(watch.try_next());
    // Stopped: others go on writing, and nothing here runs before the time is over.
    write_raw(&log, "numbers", "good", b"5").now_or_never();
    tokio::time::advance(Duration::from_secs(80)).await;
    within("a write", map.put("late", 1)).await.unwrap();
    within("all is here", map.sync()).await.unwrap();
    until("it is live", || map.status().phase == Phase::Live).await;
    assert_eq!(map.get("good").as_deref(), Some(&5));
    assert!(!map.contains_key("mine"), "its lease has ended meanwhile");
    let status = map.status();
    assert_eq!((status.resyncs, status.violations), (0, 0));
    let mut heard = 0;
    while let Some(changes) = watch.try_next() {
        heard += changes.as_slice().len();
    }
    assert_eq!(heard, 3, "one written, one gone, one new");
}

/// What another program wrote under keys that are no text.
const BINARY: [&[u8]; 6] = [
    b"\xff",
    b"\xff\xfe\x00",
    b"go\xc3",
    b"\x80good",
    b"\xed\xa0\x80",
    b"\xf5",
];

fn binary(key: Bytes) -> Bytes {
    let number = key.strip_prefix(b"binary ").and_then(|rest| rest.first());
    match number {
        Some(digit) => Bytes::from_static(BINARY[usize::from(digit - b'0')]),
        None => key,
    }
}

#[test]
fn keys_that_are_no_text_stay_out_and_harm_no_others() {
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let way = Around::new(&log);
        way.spell(binary);
        let map = numbers(&way).await;
        let mut neighbour = Neighbour::move_in(&log).await;
        let space = keyspace("numbers");
        // The last is text, if a strange one.
        let mut write = Transaction::new()
            .put(&space, "between", "3")
            .put(&space, "\0", "4");
        for number in 0..BINARY.len() {
            write = write.put(&space, format!("binary {number}"), "1");
        }
        log.commit(write).await.unwrap();
        within("all is here", map.sync()).await.unwrap();
        let late = numbers(&way).await;
        for its in [&map, &late] {
            assert_eq!((its.status().quarantined, its.len()), (6, 4));
            assert_eq!(its.get("between").as_deref(), Some(&3));
            assert_eq!(its.get("\0").as_deref(), Some(&4));
            assert_eq!((its.status().violations, its.status().resyncs), (0, 0));
            let bad: Vec<_> = its
                .quarantine()
                .into_iter()
                .map(|bad| bad.key().to_vec())
                .collect();
            assert!(BINARY.iter().all(|key| bad.iter().any(|bad| bad == key)));
        }
        // Written again and deleted, while nobody listens and while everybody does.
        in_a_gap(&log, async {
            let write = Transaction::new().delete(&space, "binary 0");
            let write = write.put(&space, "binary 1", "2");
            log.commit(write).await.unwrap();
        })
        .await;
        for its in [&map, &late] {
            until("one is gone", || its.status().quarantined == 5).await;
            assert_eq!(its.status().resyncs, 1);
        }
        delete_raw(&log, "numbers", "binary 2").await;
        neighbour.goes_on().await;
        for its in [&map, &late] {
            until("another is gone", || its.status().quarantined == 4).await;
            until("with that of the neighbour", || its.len() == 5).await;
            assert_eq!(its.status().violations, 0);
        }
        within("a write", map.put("late", 1)).await.unwrap();
    });
}
