//! What picking a member of a service costs, beside a bare `arc_swap` load and a random index: rows of a Markdown table.
//!
//! It is meant for `scripts/bench`. It needs no server.

use std::hint::black_box;
use std::sync::Arc;

use arc_swap::ArcSwap;
use globe::registry::{Member, Pick, Picker};
use globe::{Globe, MemoryLog, Registry, Result};
use globe_bench::{Target, Turns, report, rounds};
use tokio::time::{Duration, Instant};

/// Many short rounds, so that most of them fall between two interruptions.
const ROUNDS: usize = 501;

/// Picks of one round.
const PICKS: usize = 2_000;

const MEMBERS: usize = 1_000;

const WAYS: [(&str, Pick); 5] = [
    ("round robin", Pick::RoundRobin),
    ("random", Pick::Random),
    ("two choices", Pick::TwoChoices),
    ("weighted", Pick::Weighted),
    ("hash", Pick::Hash),
];

/// As another program would write it.
fn record(weight: u32) -> Vec<u8> {
    format!(r#"{{"weight":{weight},"data":"10.0.0.1:80"}}"#).into_bytes()
}

/// Bytes as they are.
struct Raw;

impl globe::Encode<Vec<u8>> for Raw {
    fn encode(&self, value: &Vec<u8>) -> Result<Vec<u8>, globe::CodecError> {
        Ok(value.clone())
    }
}

impl globe::Decode<Vec<u8>> for Raw {
    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, globe::CodecError> {
        Ok(bytes.to_vec())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let log = MemoryLog::new();
    let (raw, registry) = runtime.block_on(filled(&log))?;
    let _entered = runtime.enter();
    let members = registry.members("billing");
    let bare: Vec<Arc<Member<String>>> = members.iter().cloned().collect();
    let swapped = ArcSwap::from_pointee(bare.clone());
    for (name, pick) in WAYS {
        let picker = registry.picker("billing", pick);
        // The owners of all keys are found meanwhile.
        runtime.block_on(tokio::time::sleep(Duration::from_secs(1)));
        let turns = beside_bare(&swapped, || picker.pick().is_some());
        let figure =
            format!("`pick()`, {name}, of 1 k members, beside an `ArcSwap` and a random index");
        report(&figure, &turns, Target::Under(200.0));
    }
    let hash = registry.picker("billing", Pick::Hash);
    let mut key = 0_u64;
    let turns = beside_bare(&swapped, || {
        key += 1;
        hash.pick_for(&key.to_le_bytes()).is_some()
    });
    let figure = "`pick_for` a key of 8 bytes, of 1 k members, beside the same";
    report(figure, &turns, Target::Under(200.0));
    let turns = Turns::take(
        rounds(ROUNDS),
        || {
            for _ in 0..100 {
                black_box(registry.members("billing").len());
            }
            100
        },
        || {
            for _ in 0..100 {
                black_box(raw.view().len());
            }
            100
        },
    );
    report(
        "`members()` of 1 k, beside a `view()`",
        &turns,
        Target::None,
    );
    drop(hash);
    // Of the last one it is the owners that cost something, and they are found beside it.
    for (name, pick) in &WAYS[..4] {
        let turns = Turns::take(
            rounds(ROUNDS),
            || {
                black_box(registry.picker("billing", *pick));
                1
            },
            || {
                black_box(bare.clone());
                1
            },
        );
        let figure =
            format!("laying the table of a new picker, {name}, beside a copy of 1 k pointers");
        report(&figure, &turns, Target::None);
    }
    runtime.block_on(joins(&raw, &registry))?;
    runtime.block_on(from_nothing(&log))?;
    Ok(())
}

/// Picks, beside a random one of what is in an `ArcSwap`.
fn beside_bare(bare: &ArcSwap<Vec<Arc<Member<String>>>>, mut pick: impl FnMut() -> bool) -> Turns {
    Turns::take(
        rounds(ROUNDS),
        || {
            for _ in 0..PICKS {
                black_box(pick());
            }
            PICKS
        },
        || {
            for _ in 0..PICKS {
                let members = bare.load();
                black_box(Arc::clone(&members[fastrand::usize(..members.len())]));
            }
            PICKS
        },
    )
}

async fn filled(log: &MemoryLog) -> Result<(Globe<String, Vec<u8>>, Registry<String>)> {
    let raw = Globe::builder_with(log.clone(), "services", Raw)
        .open()
        .await?;
    let all = (0..MEMBERS).map(|number| {
        let weight = 50 + u32::try_from(number % 100).unwrap_or(0);
        (format!("billing/web-{number:04}"), record(weight))
    });
    raw.put_all(all).await?;
    let registry = Registry::open(log.clone(), "services").await?;
    Ok((raw, registry))
}

/// From the commit of a join to its being picked by a picker that was there before, beside its being in a view; and to the
/// owners of all keys having been found again.
async fn joins(raw: &Globe<String, Vec<u8>>, registry: &Registry<String>) -> Result<()> {
    let picker = registry.picker("billing", Pick::Hash);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut seen, mut found) = (Turns::default(), Turns::default());
    for number in 0..rounds(50) {
        let mut watch = registry.watch("billing");
        let begun = Instant::now();
        raw.put(format!("billing/new-{number}"), record(100))
            .await?;
        let written = begun.elapsed();
        watch.next().await;
        seen.push(begun.elapsed(), written);
        owners_are_found(&picker).await;
        found.push(begun.elapsed(), written);
    }
    let figure = "from a join to its being listed and laid out for a hash, beside its `put`";
    report(figure, &seen, Target::None);
    report(
        "until the owners of all keys are found again, beside its `put`",
        &found,
        Target::None,
    );
    Ok(())
}

/// Waits until the owners of all keys are found, as is seen by how long a look takes.
async fn owners_are_found(picker: &Picker<String>) {
    loop {
        let look = Instant::now();
        for key in 0..10_u8 {
            black_box(picker.pick_for(&[key]).is_some());
        }
        if look.elapsed() < Duration::from_micros(10) {
            return;
        }
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
}

/// How long it takes to find the owners of all keys when none is known, beside the opening of the registry.
async fn from_nothing(log: &MemoryLog) -> Result<()> {
    let mut turns = Turns::default();
    for _ in 0..rounds(10) {
        let begun = Instant::now();
        let registry = Registry::open(log.clone(), "services").await?;
        let opened = begun.elapsed();
        let begun = Instant::now();
        owners_are_found(&registry.picker("billing", Pick::Hash)).await;
        turns.push(begun.elapsed(), opened);
    }
    let figure =
        "finding the owners of all keys for 1 k members, from nothing, beside opening the registry";
    report(figure, &turns, Target::None);
    Ok(())
}
