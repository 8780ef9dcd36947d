//! How an application is tested on a log that fails as real ones do: by a seed, in simulated time, the same every time.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::Duration;

use globe::testing::{Fault, Faults, FaultyLog};
use globe::{ErrorKind, Globe, MemoryLog, Result};

/// The application: it counts visits, each exactly once, and says so only when it is sure.
async fn visit(map: &Globe<String, Vec<u32>>, visitor: u32) -> Result<()> {
    let count = |seen: Option<&Vec<u32>>| {
        let others = seen.into_iter().flatten().copied();
        let mut seen: Vec<u32> = others.filter(|other| *other != visitor).collect();
        seen.push(visitor);
        seen
    };
    loop {
        match map.update("visits", count).await {
            // Unknown whether it was written: the closure can be run again, because it counts nobody twice.
            Err(error) if *error.kind() == ErrorKind::Indeterminate => {}
            // The log is away for longer than the deadline of a write; nothing was written.
            Err(error) if *error.kind() == ErrorKind::Unavailable => {}
            // Committed, and only not visible here yet.
            Err(error) if matches!(error.kind(), ErrorKind::Behind(_)) => return Ok(()),
            outcome => return outcome.map(|_| ()),
        }
    }
}

/// On a paused clock, a day of faults takes no time.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    for seed in 0..20 {
        let memory = MemoryLog::new();
        let faults = Faults::legal().with(Fault::LoseReply, 0.2);
        let log = FaultyLog::builder(memory.clone())
            .seed(seed)
            .faults(faults)
            .build();
        let builder = Globe::builder(log.clone(), "shop").open_timeout(Duration::from_secs(60));
        let map = builder.open().await?;
        for visitor in 0..50 {
            visit(&map, visitor).await?;
        }
        log.heal();
        map.sync().await?;
        let visits = map.get("visits").map_or(0, |visits| visits.len());
        assert_eq!(visits, 50, "seed {seed}");
        println!(
            "seed {seed}: {visits} visits in spite of {:?}",
            log.injected()
        );
    }
    Ok(())
}
