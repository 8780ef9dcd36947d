//! What the work on a shard leaves in the log: written only by who owns the shard.
//!
//! Never takes a line of a former owner, however late it comes: the log itself refuses it.

use std::sync::Arc;
use std::time::Duration;

use globe::shards::OwnedShard;
use globe::{Fenced, Globe, LogClient, Result};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

/// How often a line is written.
const EVERY: Duration = Duration::from_millis(500);

/// The keyspace of it, after that of the table.
pub(crate) const ENDING: &str = "-ledger";

/// One line for each shard.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) lines: Globe<u32, Line>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) by: String,
    /// The number of the token it was written with.
    pub(crate) term: u64,
    pub(crate) written: u64,
}

impl Ledger {
    pub(crate) async fn open(log: Arc<dyn LogClient>, keyspace: &str) -> Result<Ledger> {
        let lines = Globe::open(log, &format!("{keyspace}{ENDING}")).await?;
        Ok(Ledger { lines })
    }

    /// Writes the next line of a shard, in one commit with the proof that it is owned.
    async fn write(&self, by: &str, shard: &OwnedShard) -> Result<()> {
        let (number, term) = (shard.shard(), shard.token().number);
        let written = self.lines.transact(|txn| {
            txn.require(shard)?;
            let before = txn.get(&self.lines, number)?;
            let line = Line {
                by: by.to_owned(),
                term,
                written: before.map_or(1, |before| before.written + 1),
            };
            txn.put(&self.lines, number, line)
        });
        written.await.map(drop)
    }
}

/// The work on one shard: a line now and then, until it is to go to another. Returning is the hand-over.
pub(crate) async fn keep(ledger: Ledger, by: String, shard: OwnedShard) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // Here is what has to be flushed.
            () = shard.draining() => return,
            _ = ticks.tick() => {}
        }
        // One that fails is tried again: the log may be away. By who has lost the shard it is not: his work is dropped.
        let _ = ledger.write(&by, &shard).await;
    }
}
