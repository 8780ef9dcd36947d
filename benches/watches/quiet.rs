//! Watches of keys that nobody writes: what they take while other keys are written, and of the memory.
//!
//! Nothing is ever delivered to them.

use globe::Watch;
use globe_bench::{Contest, Unit, key, report_contest, rounds};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Done;
use crate::source::Source;

const ROUNDS: usize = 201;
const WATCHES: usize = 10_000;

/// How often is written in a round, at once.
const WRITES: usize = 1_000;

/// Behind all keys that are there.
const QUIET: usize = 1_000_000;

pub(crate) async fn compare() -> Done {
    let (mut with, mut without) = (Source::filled().await?, Source::filled().await?);
    let watches = bytes(&with)?;
    let mut rates = Contest::of(Unit::PerSecond, ["with the watches", "without"]);
    for round in 0..rounds(ROUNDS) {
        let mut took = vec![f64::NAN; 2];
        for turn in Contest::turns(round, 2) {
            took[turn] = match turn {
                0 => churn(&mut with).await?,
                _ => churn(&mut without).await?,
            };
        }
        rates.count(took);
    }
    drop(watches);
    let figure = format!("writes of others in a second, of {WATCHES} watches");
    report_contest("watches_quiet", &figure, &rates);
    Ok(())
}

async fn churn(source: &mut Source) -> Done<f64> {
    let begun = Instant::now();
    for number in 0..WRITES {
        source.write(number).await?;
    }
    source.shown().await?;
    Ok(WRITES as f64 / begun.elapsed().as_secs_f64())
}

/// The watches, and what they take.
fn bytes(source: &Source) -> Done<Vec<Watch<String, u64>>> {
    let before = resident()?;
    let quiet = (0..WATCHES).map(|number| source.map.watch_key(key(QUIET + number)));
    let watches: Vec<_> = quiet.collect();
    let between = resident()?;
    let channels: Vec<_> = (0..WATCHES).map(|_| watch::channel(0_u64)).collect();
    let after = resident()?;
    drop(channels);
    let mut bytes = Contest::of(Unit::Bytes, ["Globe", "`watch`"]);
    let each = |more: u64| more as f64 / WATCHES as f64;
    bytes.count(vec![
        each(between.saturating_sub(before)),
        each(after.saturating_sub(between)),
    ]);
    let figure = format!("one of {WATCHES}, by the pages that the process has got");
    report_contest("watches_bytes", &figure, &bytes);
    Ok(watches)
}

/// How much of the memory this process has, in bytes.
fn resident() -> Done<u64> {
    let told = std::fs::read_to_string("/proc/self/status")?;
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
}
