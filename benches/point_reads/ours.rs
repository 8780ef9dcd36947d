//! The map of Globe, which follows a log in memory: readers have the map, the writer has only the log.
//!
//! What is written is decoded and applied as it would be from any other log.

use std::sync::Arc;

use globe::log_client::Transaction;
use globe::{Globe, Keyspace, LogClient, MemoryLog};
use globe_bench::filled;
use tokio::runtime::{Handle, Runtime};

use crate::subject::{Done, Read, Subject, Walk, reading};

/// The map, and its log.
pub(crate) struct Ours {
    globe: Globe<String, u64>,
    log: MemoryLog,
    keyspace: Keyspace,
    /// Where the applier runs.
    runtime: Handle,
    keys: Arc<Vec<String>>,
    writes: Walk<String>,
    count: u64,
}

impl Ours {
    pub(crate) fn filled(runtime: &Runtime, keys: &Arc<Vec<String>>) -> Done<Ours> {
        let (log, globe) = runtime.block_on(filled(keys.len()))?;
        Ok(Ours {
            globe,
            log,
            keyspace: Keyspace::new("bench")?,
            runtime: runtime.handle().clone(),
            keys: Arc::clone(keys),
            writes: Walk::from(keys, 0),
            count: 0,
        })
    }

    /// The map that its readers read.
    pub(crate) fn globe(&self) -> &Globe<String, u64> {
        &self.globe
    }
}

impl Subject for Ours {
    fn name(&self) -> &'static str {
        "Globe"
    }

    fn reader(&self, place: usize) -> Done<Read> {
        let globe = self.globe.clone();
        let walk = Walk::from(&self.keys, place);
        Ok(reading(walk, move |key| globe.get(key)))
    }

    fn write(&mut self) -> Done {
        self.count += 1;
        let key = self.writes.next().clone();
        let put = Transaction::new().put(&self.keyspace, key, self.count.to_string());
        self.runtime.block_on(self.log.commit(put))?;
        Ok(())
    }

    fn shown(&self) -> u64 {
        let position = self.globe.position();
        position.map_or(0, |position| position.revision.0)
    }

    fn behind(&self) -> u64 {
        let head = self.log.head_position().revision.0;
        head.saturating_sub(self.shown())
    }
}
