//! What the hot paths allocate: counted, so that a change that makes one dearer is found by its name.
//!
//! It never looks at a clock: time is measured by the benchmarks, and decides nothing. What a bound leaves above what was
//! counted (the comment beside it says that) is for other versions of the libraries below.

use allocation_counter::{AllocationInfo, measure};
use globe::log_client::{LogClient, Transaction};
use globe::{Consistency, Globe, Keyspace, MemoryLog};
use tokio::runtime::Runtime;

const KEYSPACE: &str = "costs";

/// The key of an entry: 30 bytes.
fn key(number: usize) -> String {
    format!("service/{number:016x}/limit")
}

/// A hydrated map, and the log it follows, all on one thread: what that allocates is the same each time.
struct Stand {
    runtime: Runtime,
    log: MemoryLog,
    globe: Globe<String, u64>,
}

impl Stand {
    fn of(entries: usize) -> Stand {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = ok(builder.enable_all().build());
        let log = MemoryLog::new();
        let globe = runtime.block_on(async {
            let filler = open(&log).await;
            let entries = (0..entries).map(|number| (key(number), number as u64));
            ok(filler.put_all(entries).await);
            filler.close().await;
            open(&log).await
        });
        Stand {
            runtime,
            log,
            globe,
        }
    }

    /// What it takes to follow one commit of so many changes that somebody else has made.
    fn follow(&self, changes: usize) -> AllocationInfo {
        let once = |first: usize| {
            let keyspace = ok(Keyspace::new(KEYSPACE));
            let mut transaction = Transaction::new();
            for number in (0..changes).map(|change| first + 7 * change) {
                transaction = transaction.put(&keyspace, key(number), "7");
            }
            let commit = self.log.commit(transaction);
            let position = ok(self.runtime.block_on(commit));
            let shown = self.globe.view_at(Consistency::AtLeast(position));
            measure(|| drop(self.runtime.block_on(shown)))
        };
        // The first time makes room that is kept.
        (0..3).map(once).last().unwrap_or_default()
    }

    fn put(&self) -> AllocationInfo {
        let once = |_| {
            let put = self.globe.put(key(7), 7);
            measure(|| drop(self.runtime.block_on(put)))
        };
        (0..3).map(once).last().unwrap_or_default()
    }

    fn read<T>(&self, read: impl Fn(&Globe<String, u64>) -> T) -> u64 {
        drop(read(&self.globe));
        measure(|| drop(read(&self.globe))).count_total
    }
}

async fn open(log: &MemoryLog) -> Globe<String, u64> {
    ok(Globe::open(log.clone(), KEYSPACE).await)
}

fn ok<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn assert_at_most(what: &str, counted: u64, most: u64) {
    assert!(counted <= most, "{what}: {counted} instead of {most}");
}

#[test]
fn a_read_allocates_nothing() {
    let stand = Stand::of(1_000);
    let key = key(7);
    assert_eq!(stand.read(|map| map.get(&key)), 0, "get");
    assert_eq!(stand.read(|map| map.get_entry(&key)), 0, "get_entry");
    assert_eq!(stand.read(|map| map.contains_key(&key)), 0, "contains_key");
    assert_eq!(stand.read(|map| map.len()), 0, "len");
    assert_eq!(stand.read(|map| map.position()), 0, "position");
    assert_eq!(stand.read(|map| map.view()), 0, "view");
    let mut cached = stand.globe.cached(key.as_str());
    let _ = cached.get();
    assert_eq!(measure(|| drop(cached.get().cloned())).count_total, 0);
}

/// Of one change there are its value, the state, the leaf and the branches above it: six of 1,000 entries, eight of 100,000.
/// The rest is the memory log's. Its key is the one that was there before: one more would be a key that is made again.
#[test]
fn to_follow_a_commit_of_one_change_copies_one_path_of_the_map() {
    let small = Stand::of(1_000).follow(1);
    assert_at_most("allocations of 1,000", small.count_total, 7);
    assert_at_most("bytes of 1,000", small.bytes_total, 2_600); // 2,024
    let large = Stand::of(100_000).follow(1);
    assert_at_most("allocations of 100,000", large.count_total, 9);
    assert_at_most("bytes of 100,000", large.bytes_total, 3_300); // 2,664
}

#[test]
fn what_is_kept_out_makes_other_commits_no_dearer() {
    let stand = Stand::of(1_000);
    let before = stand.follow(1).count_total;
    let keyspace = Keyspace::new(KEYSPACE).unwrap();
    let bad = (0..20).fold(Transaction::new(), |bad, number| {
        bad.put(&keyspace, format!("bad/{number}"), "no number")
    });
    stand.runtime.block_on(async {
        stand.log.commit(bad).await.unwrap();
        stand.globe.sync().await.unwrap();
    });
    assert_eq!(stand.globe.quarantine().len(), 20);
    assert_at_most("allocations", stand.follow(1).count_total, before);
}

#[test]
fn to_follow_a_commit_of_many_changes_allocates_few_times_for_each() {
    let followed = Stand::of(100_000).follow(128);
    assert_at_most("allocations", followed.count_total, 128 * 2); // 1.6
    assert_at_most("bytes", followed.bytes_total, 128 * 850); // 658
}

#[test]
fn a_put_allocates_little_beside_what_it_writes() {
    let put = Stand::of(1_000).put();
    assert_at_most("allocations", put.count_total, 36); // 32, of which a dozen are the memory log's
    assert_at_most("bytes", put.bytes_total, 6_000); // 4,779
}

#[test]
fn a_hydrated_map_is_dense() {
    const ENTRIES: u64 = 100_000;
    let stand = Stand::of(ENTRIES as usize);
    let hydrated = measure(|| {
        let globe = stand.runtime.block_on(open(&stand.log));
        // What is counted is what stays.
        std::mem::forget(globe);
    });
    let left = u64::try_from(hydrated.bytes_current).unwrap();
    assert_at_most("bytes that stay", left / ENTRIES, 200); // 186
    let peak = hydrated.bytes_max;
    assert_at_most("hundredths of that at most", 100 * peak / left, 150); // 111
    assert_at_most("allocations", 10 * hydrated.count_total / ENTRIES, 35); // 3.1 an entry
}
