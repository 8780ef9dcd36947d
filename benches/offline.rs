//! What it takes to begin with a copy on disk, and to keep one: prints rows of a Markdown table.
//!
//! The logs are in memory: what a server takes, or saves, is not in it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use globe::{Capabilities, Globe, MemoryLog, Offline, Phase};
use globe_bench::{Done, Target, Turns, key, report, rounds};
use tokio::runtime::Runtime;
use tokio::time::{Duration, Instant};

const ENTRIES: usize = 100_000;
const STARTS: usize = 15;
const PUTS: u32 = 500;
const BLOCKS: usize = 15;

type Texts = Globe<String, String>;

fn main() -> Done {
    let runtime = Runtime::new()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(starting(folder.path()))?;
    runtime.block_on(keeping(folder.path()))
}

/// A hundred bytes.
fn value(number: usize) -> String {
    format!("{number:0100}")
}

/// From the call of `open` until it is there and was read from, while the log is down; beside a `HashMap` of the same, read
/// from a JSON file.
async fn starting(folder: &Path) -> Done {
    let mut capabilities = Capabilities::full("memory");
    (
        capabilities.max_operations,
        capabilities.max_transaction_bytes,
    ) = (10_000, 64 << 20);
    let log = MemoryLog::builder().capabilities(capabilities).build();
    let entries = (0..ENTRIES).map(|number| (key(number), value(number)));
    let json = folder.join("entries.json");
    fs::write(
        &json,
        serde_json::to_vec(&entries.clone().collect::<HashMap<_, _>>())?,
    )?;
    let map: Texts = Globe::builder(log.clone(), "many")
        .offline(Offline::in_folder(folder))
        .deadline(Duration::from_secs(60))
        .open()
        .await?;
    map.put_all(entries).await?;
    map.close().await;
    log.set_available(false);
    let mut turns = Turns::default();
    for _ in 0..rounds(STARTS) {
        let begun = Instant::now();
        let map: Texts = Globe::builder(log.clone(), "many")
            .offline(Offline::in_folder(folder))
            .open()
            .await?;
        assert!(map.get(&key(ENTRIES / 2)).is_some());
        let ours = begun.elapsed();
        assert_eq!((map.len(), map.status().phase), (ENTRIES, Phase::Stale));
        map.close().await;
        drop(map);
        let begun = Instant::now();
        let read: HashMap<String, String> = serde_json::from_slice(&fs::read(&json)?)?;
        assert!(read.contains_key(&key(ENTRIES / 2)));
        turns.push(ours, begun.elapsed());
    }
    let figure = "a map of 100,000 × 100 B serves, its log being down; beside a `HashMap` read from a JSON file";
    report(figure, &turns, Target::Under(2e8));
    Ok(())
}

/// One put after the other on a map that keeps a copy, beside one that does not.
async fn keeping(folder: &Path) -> Done {
    let log = MemoryLog::new();
    let kept: Texts = Globe::builder(log.clone(), "kept")
        .offline(Offline::in_folder(folder))
        .open()
        .await?;
    let bare: Texts = Globe::open(log, "bare").await?;
    let mut turns = Turns::default();
    for _ in 0..rounds(BLOCKS) {
        let ours = puts(&kept).await?;
        turns.push(ours, puts(&bare).await?);
    }
    let figure = "`put` on a map that keeps a copy, beside one that keeps none (both in memory)";
    report(figure, &turns, Target::None);
    Ok(())
}

async fn puts(map: &Texts) -> globe::Result<Duration> {
    let begun = Instant::now();
    for number in 0..PUTS {
        let number = number as usize;
        map.put(key(number), value(number)).await?;
    }
    Ok(begun.elapsed() / PUTS)
}
