//! What a map keeps in memory while it is churned: with idle watches, held views, slow watches, restores and bad records.
//!
//! Never a measurement of time or of bytes: values and keys count themselves, so that one too many is one too many.
//! `GLOBE_SOAK=20` makes it twenty times as many rounds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use globe::{Cause, CodecError, Decode, Encode, Globe, LogClient, MemoryLog, Phase, View, Watch};
use rig::{delete_raw, in_a_gap, until, within, write_many, write_raw};

/// Entries of the map that is churned.
const ENTRIES: usize = 5_000;
/// Writes in one transaction: a step that large is freed aside.
const AT_ONCE: usize = 1_250;

/// How many rounds, where a test needs so many.
fn rounds(rounds: u64) -> u64 {
    let factor = std::env::var("GLOBE_SOAK").ok();
    rounds * factor.map_or(1, |factor| factor.parse().expect("GLOBE_SOAK is a number"))
}

/// A value that counts how many of its kind are alive.
struct Counted {
    number: u64,
    alive: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn make(&self, number: u64) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        let alive = Arc::clone(&self.0);
        Counted { number, alive }
    }

    fn alive(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// What was replaced is let go of, as far as nobody holds it: some of it is freed aside.
    async fn comes_down_to(&self, most: usize, what: &str) {
        let what = format!("{what}: at most {most} are alive");
        until(&what, || self.alive() <= most).await;
    }
}

impl Encode<Counted> for Counter {
    fn encode(&self, value: &Counted) -> Result<Vec<u8>, CodecError> {
        Ok(value.number.to_string().into_bytes())
    }
}

impl Decode<Counted> for Counter {
    fn decode(&self, bytes: &[u8]) -> Result<Counted, CodecError> {
        Ok(self.make(std::str::from_utf8(bytes)?.parse()?))
    }
}

type Map = Globe<String, Counted>;

/// A map that is churned, and its log.
struct Churned {
    log: MemoryLog,
    map: Map,
    counter: Counter,
    number: u64,
}

fn name(entry: usize) -> String {
    format!("k/{entry:05}")
}

impl Churned {
    async fn filled() -> Churned {
        let mut capabilities = MemoryLog::new().capabilities();
        capabilities.max_operations = ENTRIES;
        let log = MemoryLog::builder().capabilities(capabilities).build();
        let counter = Counter::default();
        let builder = Globe::builder_with(log.clone(), "soak", counter.clone())
            .retry(Duration::from_millis(5), Duration::from_millis(20));
        let map = within("a map is opened", builder.open()).await.unwrap();
        let mut churned = Churned {
            log,
            map,
            counter,
            number: 0,
        };
        churned.churn(1).await;
        churned
            .counter
            .comes_down_to(ENTRIES, "nothing is held")
            .await;
        assert_eq!(churned.map.len(), ENTRIES);
        churned
    }

    /// Every entry is written anew, so many times, by another program; and all of it has arrived.
    async fn churn(&mut self, rounds: u64) {
        for _ in 0..rounds {
            self.number += 1;
            let mut head = self.log.head_position();
            for first in (0..ENTRIES).step_by(AT_ONCE) {
                let entries = first..first + AT_ONCE;
                let entries = entries.map(|entry| (name(entry), self.number.to_string()));
                head = write_many(&self.log, "soak", entries).await;
            }
            within("it arrives", self.map.sync()).await.unwrap();
            self.log.compact(head.revision).unwrap();
        }
    }

    async fn put(&self, key: &str, number: u64) {
        let put = self.map.put(key, self.counter.make(number));
        within("a write", put).await.unwrap();
    }

    async fn comes_down_to(&self, most: usize, what: &str) {
        self.counter.comes_down_to(most, what).await;
    }

    /// Without watches and views, what is alive is what is shown.
    async fn comes_to_rest(&self) {
        let entries = self.map.len();
        self.comes_down_to(entries, "all is dropped").await;
        assert_eq!(self.counter.alive(), entries);
        assert_eq!(self.map.status().phase, Phase::Live);
    }
}

async fn next(watch: &mut Watch<String, Counted>) -> globe::Changes<String, Counted> {
    let next = within("a change", watch.next()).await;
    next.expect("the map is open")
}

fn all_of_one_number(view: &View<String, Counted>, number: u64) -> bool {
    let mut entries = view.iter();
    entries.all(|(_, entry)| entry.value().number == number)
}

// What is alive is counted and not timed: on a paused clock a value too many is told at once.
#[tokio::test(start_paused = true)]
async fn an_idle_watch_of_one_key_keeps_one_value() {
    let mut churned = Churned::filled().await;
    let mut watches: Vec<_> = (0..10)
        .map(|entry| churned.map.watch_key(name(entry * 7)))
        .collect();
    for _ in 0..rounds(10) {
        churned.churn(1).await;
        churned.comes_down_to(ENTRIES + 10, "ten key watches").await;
    }
    for watch in &mut watches {
        let changes = next(watch).await;
        let [change] = changes.as_slice() else {
            panic!("one key");
        };
        let old_and_new = (change.old_value(), change.new_value());
        let numbers = (old_and_new.0.unwrap().number, old_and_new.1.unwrap().number);
        assert_eq!(numbers, (1, churned.number), "nothing is missed for that");
    }
    churned.comes_down_to(ENTRIES, "once it was shown").await;
    drop(watches);
    churned.comes_to_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_watch_of_what_does_not_change_keeps_nothing() {
    let mut churned = Churned::filled().await;
    churned.put("other", 7).await;
    let mut idle = vec![
        churned.map.watch_prefix("other"),
        churned.map.watch_prefix("nothing/"),
        churned.map.watch_key("other"),
        churned.map.watch_key("nothing"),
        churned.map.watch_prefix("other").every_revision(50),
        churned.map.watch_key("other").every_revision(50),
    ];
    for _ in 0..rounds(10) {
        churned.churn(1).await;
        churned.comes_down_to(ENTRIES + 1, "idle watches").await;
    }
    assert!(idle.iter_mut().all(|watch| watch.try_next().is_none()));
    drop(idle);
    churned.comes_to_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_sleeps_keeps_the_map_once_however_long_it_sleeps() {
    let mut churned = Churned::filled().await;
    let map = churned.map.clone();
    let mut asleep = vec![
        map.watch(),
        map.watch_prefix("k/"),
        map.watch_where(|_| true),
    ];
    for _ in 0..rounds(10) {
        churned.churn(1).await;
        // What they showed last is one and the same.
        churned.comes_down_to(2 * ENTRIES, "they sleep").await;
    }
    for watch in &mut asleep {
        let changes = next(watch).await;
        assert_eq!(changes.cause(), Cause::Coalesced);
        assert_eq!(changes.as_slice().len(), ENTRIES, "exactly what is new");
    }
    churned.comes_down_to(ENTRIES, "they have looked").await;
    drop(asleep);
    churned.comes_to_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_keeps_what_it_shows_and_no_more() {
    let mut churned = Churned::filled().await;
    let mut views = Vec::new();
    for held in 1..=3 {
        let number = churned.number;
        views.push((number, churned.map.view(), churned.map.view().clone()));
        for _ in 0..rounds(3) {
            churned.churn(1).await;
            churned
                .comes_down_to((held + 1) * ENTRIES, "views of different times")
                .await;
        }
    }
    for (number, view, clone) in &views {
        assert!(all_of_one_number(view, *number) && all_of_one_number(clone, *number));
    }
    while let Some(oldest) = views.pop() {
        drop(oldest);
        churned
            .comes_down_to((views.len() + 1) * ENTRIES, "one view less")
            .await;
    }
    // A view of what is shown shares all of it, and then all but what has changed since.
    let view = churned.map.view();
    assert_eq!(churned.counter.alive(), ENTRIES);
    for number in 0..rounds(20) {
        churned.put(&name(7), number).await;
    }
    churned.comes_down_to(ENTRIES + 1, "one key changed").await;
    drop(view);
    churned.comes_to_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_of_any_kind_keeps_no_more_of_the_map_than_it_covers() {
    let mut churned = Churned::filled().await;
    let map = &churned.map;
    let mut begun = map.watch_value(name(7));
    assert!(within("a value", begun.next()).await.is_some());
    let of_one_key = (
        begun,
        map.watch_value(name(8)),
        map.watch_key(name(9)).into_stream(),
    );
    let of_none = (
        map.watch_range("z"..),
        map.watch_quarantine(),
        map.watch_phase(),
    );
    churned.churn(rounds(3)).await;
    let kept = ENTRIES + 3;
    churned.comes_down_to(kept, "an entry for each key").await;
    drop((of_one_key, of_none));
    churned.comes_to_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_watch_of_every_revision_keeps_its_room_and_lets_go_when_overrun() {
    const ROOM: usize = 8;
    let churned = Churned::filled().await;
    let mut watch = churned.map.watch_key(name(7)).every_revision(ROOM);
    for round in 0..rounds(5) {
        let first = 100 * (round + 1);
        for step in 0..ROOM {
            churned.put(&name(7), first + step as u64).await;
            let kept = ENTRIES + step + 1;
            churned.comes_down_to(kept, "one version a step").await;
        }
        assert_eq!(churned.counter.alive(), ENTRIES + ROOM, "each step is kept");
        if round % 2 == 0 {
            for step in 0..ROOM {
                let changes = next(&mut watch).await;
                assert_eq!(changes.cause(), Cause::Step);
                let shown = changes.as_slice()[0].new_value().unwrap().number;
                assert_eq!(shown, first + step as u64);
                drop(changes);
                let kept = ENTRIES + ROOM - step;
                churned.comes_down_to(kept, "one version less").await;
            }
        } else {
            for step in ROOM..3 * ROOM {
                churned.put(&name(7), first + step as u64).await;
                churned.comes_down_to(ENTRIES + 1, "overrun").await;
            }
            let changes = next(&mut watch).await;
            assert_eq!(changes.cause(), Cause::Coalesced);
            let shown = changes.as_slice()[0].new_value().unwrap().number;
            assert_eq!(shown, first + 3 * ROOM as u64 - 1);
        }
        assert!(watch.try_next().is_none());
        churned.comes_down_to(ENTRIES, "it has caught up").await;
    }
    drop(watch);
    churned.comes_to_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_rounds_of_everything_keep_no_more_than_two() {
    let mut churned = Churned::filled().await;
    let mut after = Vec::new();
    for round in 0..rounds(10) {
        let map = churned.map.clone();
        let mut watches = vec![
            map.watch(),
            map.watch_key(name(1)),
            map.watch_prefix("k/00").every_revision(2),
        ];
        let view = map.view();
        churned.churn(1).await;
        // A bad record over a good one, an outage with a resync, another life of the log.
        write_raw(&churned.log, "soak", &name(3), "bad").await;
        until("it is listed", || map.status().quarantined == 1).await;
        let gone = name(3);
        in_a_gap(&churned.log, delete_raw(&churned.log, "soak", &gone)).await;
        until("it is gone", || map.len() == ENTRIES - 1).await;
        if round % 2 == 0 {
            let backup = churned.log.backup();
            churned.log.restore(&backup);
        }
        churned.churn(1).await;
        assert_eq!((map.len(), map.status().quarantined), (ENTRIES, 0));
        for watch in &mut watches {
            drop(next(watch).await);
        }
        drop((view, watches));
        churned.comes_down_to(ENTRIES, "the round is over").await;
        after.push(churned.counter.alive());
    }
    assert!(after.iter().all(|alive| *alive == ENTRIES), "{after:?}");
    churned.comes_to_rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_of_every_kind_leave_nothing_behind() {
    let mut churned = Churned::filled().await;
    for round in 0..rounds(10) {
        let map = churned.map.clone();
        let make = |number| churned.counter.make(number);
        let many = (0..300).map(|entry| (name(entry), make(round)));
        let many: Vec<_> = many.collect();
        map.put_all(many).await.unwrap();
        map.update(name(1), |old| make(old.map_or(0, |old| old.number) + 1))
            .await
            .unwrap();
        map.transact(|txn| {
            let old = txn.get(&map, name(2))?.map_or(0, |old| old.number);
            txn.put(&map, name(2), make(old + 1))
        })
        .await
        .unwrap();
        map.create(name(3), make(0)).await.unwrap_err();
        assert!(map.delete(name(4)).await.unwrap().replaced());
        assert_eq!(map.delete_prefix("k/0001").await.unwrap().count(), 10);
        // Dropped before they are answered.
        for entry in 0..50 {
            let put = map.put(name(entry), make(1));
            drop(futures::FutureExt::now_or_never(put));
        }
        within("all is here", map.sync()).await.unwrap();
        churned.comes_to_rest().await;
        churned.churn(1).await;
        churned.comes_to_rest().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_keeps_what_is_shown_and_dropping_the_last_of_it_keeps_nothing() {
    for _ in 0..rounds(3) {
        let mut churned = Churned::filled().await;
        let mut watch = churned.map.watch();
        churned.churn(2).await;
        let Churned { map, counter, .. } = churned;
        within("closing", map.close()).await;
        let changes = within("the rest", watch.next()).await;
        assert_eq!(changes.expect("it is shown").as_slice().len(), ENTRIES);
        assert!(within("the end", watch.next()).await.is_none());
        counter.comes_down_to(ENTRIES, "what it shows").await;
        let (view, value) = (map.view(), map.get(&name(1)));
        drop((map, watch));
        counter.comes_down_to(ENTRIES, "a view").await;
        assert!(all_of_one_number(&view, 3));
        drop(view);
        counter.comes_down_to(1, "a value").await;
        assert_eq!(value.expect("it stands").number, 3);
        counter.comes_down_to(0, "nothing").await;
    }
}
