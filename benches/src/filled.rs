//! Maps of any size, on a memory log, with keys as long as real ones.
//!
//! What is measured is a map that hydrated from a snapshot, as a node does: never the one that wrote it.

use globe::{Capabilities, Globe, MemoryLog, Result};

/// What one transaction may hold while a map is filled.
const LARGE: usize = 64 * 1024 * 1024;

/// The key of an entry: 30 bytes, the same ones for the same number.
#[must_use]
pub fn key(number: usize) -> String {
    format!("service/{number:016x}/limit")
}

/// The keys of the first `entries` entries in an order that no cache knows, the same one each time. The texts themselves
/// lie in memory in that order: what is asked for is at hand, only what is found is not.
#[must_use]
pub fn shuffled_keys(entries: usize) -> Vec<String> {
    let mut numbers: Vec<usize> = (0..entries).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut numbers);
    numbers.into_iter().map(key).collect()
}

/// A map of so many entries, each with its own number, and the log it follows.
///
/// # Errors
/// As [`Globe::open`] and [`Globe::put_all`].
pub async fn filled(entries: usize) -> Result<(MemoryLog, Globe<String, u64>)> {
    let mut capabilities = Capabilities::full("memory");
    capabilities.max_operations = 10_000;
    capabilities.max_transaction_bytes = LARGE;
    let log = MemoryLog::builder().capabilities(capabilities).build();
    let filler: Globe<String, u64> = Globe::open(log.clone(), "bench").await?;
    filler
        .put_all((0..entries).map(|number| (key(number), number as u64)))
        .await?;
    filler.close().await;
    log.compact(log.head_position().revision)?;
    let globe = Globe::open(log.clone(), "bench").await?;
    Ok((log, globe))
}
