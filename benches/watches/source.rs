//! A map of usual size, and its log, which writes come from.
//!
//! It never writes through the map: what is measured is how a write arrives.

use globe::log_client::Transaction;
use globe::{Globe, Keyspace, LogClient, MemoryLog, Watch};
use globe_bench::{filled, key};

use crate::Done;

/// How many entries there are.
const ENTRIES: usize = 1_000;

/// What can be watched, so that the first key is in it.
pub(crate) const KINDS: [(&str, Kind); 6] = [
    ("all", |map| map.watch()),
    ("a key", |map| map.watch_key(key(0))),
    ("a prefix", |map| map.watch_prefix("service/")),
    ("a range", |map| map.watch_range(key(0)..key(100))),
    ("keys by a predicate", |map| {
        map.watch_where(|key| key.ends_with("limit"))
    }),
    ("values by a predicate", |map| {
        map.watch_values(|value| *value < u64::MAX)
    }),
];

type Kind = fn(&Globe<String, u64>) -> Watch<String, u64>;

/// The map, and its log.
pub(crate) struct Source {
    pub(crate) map: Globe<String, u64>,
    log: MemoryLog,
    keyspace: Keyspace,
    writes: u64,
}

impl Source {
    pub(crate) async fn filled() -> Done<Source> {
        let (log, map) = filled(ENTRIES).await?;
        Ok(Source {
            map,
            log,
            keyspace: Keyspace::new("bench")?,
            writes: 0,
        })
    }

    /// Writes the entry of this number, which always changes it.
    pub(crate) async fn write(&mut self, number: usize) -> Done {
        // What a map that was just filled holds is no more than its size.
        self.writes += 1;
        let value = (self.writes + ENTRIES as u64).to_string();
        let key = key(number % ENTRIES);
        let put = Transaction::new().put(&self.keyspace, key, value);
        self.log.commit(put).await?;
        Ok(())
    }

    /// Waits until the map shows all that was written.
    pub(crate) async fn shown(&self) -> Done {
        self.map.sync().await?;
        Ok(())
    }
}
