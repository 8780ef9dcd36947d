//! Coming in to a shard that this process owns, and out, beside one of a hash map in an `ArcSwap` that is counted by hand.
//!
//! Nothing moves meanwhile, and the log is never asked.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use globe::shards::{Mode, ShardMember, Step, Worker};
use globe::{MemoryLog, Session, Shards};
use globe_bench::{Target, Turns, key, report, rounds};
use tokio::runtime::Runtime;

/// Many short rounds, so that most of them fall between two interruptions.
const ROUNDS: usize = 501;
const KEYS: usize = 1_000;

pub(crate) fn compare(runtime: &Runtime) -> Result<(), Box<dyn std::error::Error>> {
    let asked = "`enter` of a shard of 10 k and out, strict, beside a counted `Arc` of a `HashMap` of 1 k keys in an `ArcSwap`";
    for (figure, mode) in [
        (asked, Mode::Strict),
        (
            "the same, available: without a look at the clocks",
            Mode::Available,
        ),
    ] {
        let (shards, _serving) = runtime.block_on(serving(mode))?;
        report(figure, &beside_bare(&shards), Target::Under(150.0));
    }
    Ok(())
}

/// A process that owns all shards.
async fn serving(mode: Mode) -> globe::Result<(Shards, (Session, Worker))> {
    let log = MemoryLog::new();
    let shards = Shards::builder(log.clone(), "table")
        .slots(10_000)
        .mode(mode);
    let shards = shards.open().await?;
    let session = Session::open(log).await?;
    let mut worker = shards.join(&session, ShardMember::new("w7")).await?;
    let mut owned = 0;
    while owned < 10_000 {
        match worker.next().await {
            Some(Step::Own(_)) => owned += 1,
            Some(Step::Prepare(step)) => step.done().await?,
            _ => {}
        }
    }
    Ok((shards, (session, worker)))
}

fn beside_bare(shards: &Shards) -> Turns {
    let keys: Vec<String> = (0..KEYS).map(key).collect();
    let seats = keys.iter().map(|key| (key.clone(), Arc::default()));
    let bare: ArcSwap<HashMap<String, Arc<AtomicU64>>> = ArcSwap::from_pointee(seats.collect());
    Turns::take(
        rounds(ROUNDS),
        || {
            let entered = |key: &&String| black_box(shards.enter(key)).is_ok();
            keys.iter().filter(entered).count()
        },
        || {
            let entered = |key: &&String| {
                let Some(seat) = bare.load().get(*key).map(Arc::clone) else {
                    return false;
                };
                seat.fetch_add(1, Ordering::AcqRel);
                black_box(&seat).fetch_sub(1, Ordering::AcqRel);
                true
            };
            keys.iter().filter(entered).count()
        },
    )
}
