//! The figures that need no server, each beside its peer: prints rows of a Markdown table.
//!
//! It is meant for `scripts/bench`; to watch one number over time, use the criterion benchmarks.

use std::hint::black_box;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use dashmap::DashMap;
use globe::{Globe, Result};
use globe_bench::{Target, Turns, filled, key, report, rounds, shuffled_keys, sizes};
use tokio::time::{Duration, Instant};

/// Rounds of each comparison: many short ones, so that most of them fall between two interruptions.
const ROUNDS: usize = 1_501;

/// Reads of one round.
const READS: usize = 2_000;

/// A map, and its peer with the same content.
struct Pair {
    globe: Globe<String, u64>,
    bare: DashMap<String, Arc<u64>>,
    keys: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // One worker for the tasks of the maps; the reads run on this thread.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let (_, small) = runtime.block_on(filled(1_000))?;
    for (name, entries) in sizes().iter().copied() {
        let (log, globe) = runtime.block_on(filled(entries))?;
        let fill = (0..entries).map(|number| (key(number), Arc::new(number as u64)));
        let pair = Pair {
            globe: globe.clone(),
            bare: fill.collect(),
            keys: shuffled_keys(entries),
        };
        view(name, &globe, &small);
        report(
            &format!("`get` of {name}, beside a bare DashMap"),
            &get(&pair),
            Target::Times(1.05),
        );
        let at_rest = cached(&pair);
        let (begun, before) = (Instant::now(), log.head_position().revision.0);
        let writing = runtime.spawn(write(globe, entries));
        let (turns, of_one_key) = (get(&pair), cached(&pair));
        writing.abort();
        let writes = log.head_position().revision.0 - before;
        let rate = writes as f64 / begun.elapsed().as_secs_f64();
        report(
            &format!("the same while {rate:.0} writes/s are applied to the map"),
            &turns,
            Target::None,
        );
        report(
            &format!("`Cached` of {name}, beside a bare `arc_swap` cache"),
            &at_rest,
            Target::None,
        );
        report(
            "the same while other keys are written as often",
            &of_one_key,
            Target::None,
        );
    }
    Ok(())
}

fn view(name: &str, globe: &Globe<String, u64>, small: &Globe<String, u64>) {
    let take = |globe: &Globe<String, u64>| {
        for _ in 0..READS {
            black_box(globe.view());
        }
        READS
    };
    let turns = Turns::take(rounds(ROUNDS), || take(globe), || take(small));
    report(
        &format!("`view()` of {name}, beside one of 1 k"),
        &turns,
        Target::Under(200.0),
    );
}

fn get(pair: &Pair) -> Turns {
    let mut keys = pair.keys.iter().cycle();
    let mut bare_keys = pair.keys.iter().cycle().skip(pair.keys.len() / 2);
    let bare = &pair.bare;
    Turns::take(
        rounds(ROUNDS),
        || {
            for key in keys.by_ref().take(READS) {
                black_box(pair.globe.get(key));
            }
            READS
        },
        || {
            for key in bare_keys.by_ref().take(READS) {
                black_box(bare.get(key).map(|value| Arc::clone(&value)));
            }
            READS
        },
    )
}

/// One key, read all the time.
fn cached(pair: &Pair) -> Turns {
    let mut cached = pair.globe.cached(key(0));
    let mut bare = Cache::new(Arc::new(ArcSwap::from_pointee(0_u64)));
    Turns::take(
        rounds(ROUNDS),
        || {
            for _ in 0..READS {
                black_box(cached.get().is_some());
            }
            READS
        },
        || {
            for _ in 0..READS {
                black_box(**bare.load() == 0);
            }
            READS
        },
    )
}

/// Writes ten entries a millisecond, one transaction each, until it is aborted or the map ends.
async fn write(globe: Globe<String, u64>, entries: usize) {
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let mut numbers = (0..entries).cycle();
    loop {
        tick.tick().await;
        for number in numbers.by_ref().take(10) {
            if globe.put(key(number), 0).await.is_err() {
                return;
            }
        }
    }
}
