//! From nothing to a map of an etcd keyspace: the time, the memory, and how long others on the executor wait; each beside what
//! it takes without Globe. Prints rows of a Markdown table.
//!
//! It starts servers of its own, and itself once more for each map whose memory or whose turns are looked at; it leaves none
//! behind.

mod alone;
mod filling;
mod memory;
mod opening;
mod pages;
mod stall;
mod subject;
mod timing;

use etcd_client::Client;
use globe_bench::{Done, either, rounds};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::Runtime;

use crate::subject::Source;

/// How many entries are hydrated, and how often.
const HYDRATIONS: [(usize, usize); 2] = [(100_000, 15), (1_000_000, 5)];

/// The records of which the time is told.
const KEYSPACE: &str = "hydration";

fn main() -> Done {
    if let Some(told) = alone::told() {
        return measure_alone(&told);
    }
    let runtime = Runtime::new()?;
    let mut all = Vec::new();
    for (entries, times) in either(&HYDRATIONS[..], &HYDRATIONS[..1]).iter().copied() {
        let server = runtime.block_on(EtcdServer::start(EtcdVersion::Reference));
        let endpoint = server.endpoint();
        runtime.block_on(fill(&endpoint, entries))?;
        let source = runtime.block_on(Source::connect(&endpoint, KEYSPACE, entries))?;
        let times = rounds(times);
        all.push((entries, runtime.block_on(timing::compare(&source, times))?));
        runtime.block_on(opening::compare(&endpoint, KEYSPACE, entries))?;
        stall::compare(&endpoint, entries, times)?;
        memory::compare(&endpoint, entries, either(times.min(5), 1))?;
    }
    timing::report_all(&all);
    Ok(())
}

/// What the process is for that this one has asked.
fn measure_alone(told: &str) -> Done {
    let mut words = told.split_whitespace();
    match words.next() {
        Some("memory") => memory::hydrate(&Runtime::new()?, words),
        _ => stall::yield_beside(words),
    }
}

async fn fill(endpoint: &str, entries: usize) -> Done {
    let client = Client::connect([endpoint], None).await?;
    // 100 bytes of JSON.
    let text = |_| format!("{:?}", "x".repeat(98));
    filling::fill(&client, KEYSPACE, entries, text).await?;
    let number = |number: usize| number.to_string();
    filling::fill(&client, memory::KEYSPACE, entries, number).await
}
