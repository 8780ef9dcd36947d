//! Whether the ledger is as it should be: no line of a former owner after one of a later.
//!
//! Never writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ledger::Ledger;

/// Reads each line as it is written, and counts those that a former owner wrote after a later one.
#[derive(Debug)]
pub(crate) struct Audit {
    /// A watch ends with the last handle of its map.
    ledger: Ledger,
    read: AtomicU64,
    late: AtomicU64,
}

impl Audit {
    /// From now on.
    pub(crate) fn of(ledger: Ledger) -> Arc<Audit> {
        let audit = Arc::new(Audit {
            ledger,
            read: AtomicU64::new(0),
            late: AtomicU64::new(0),
        });
        let (reading, mut watch) = (
            Arc::clone(&audit),
            audit.ledger.lines.watch().every_revision(1_000),
        );
        tokio::spawn(async move {
            while let Some(changes) = watch.next().await {
                for change in &changes {
                    let terms = [change.old_value(), change.new_value()];
                    let [before, now] = terms.map(|line| line.map_or(0, |line| line.term));
                    reading.read.fetch_add(1, Ordering::Relaxed);
                    reading
                        .late
                        .fetch_add(u64::from(now < before), Ordering::Relaxed);
                }
            }
        });
        audit
    }

    /// How many lines were read, and how many of them were late.
    pub(crate) fn found(&self) -> (u64, u64) {
        (
            self.read.load(Ordering::Relaxed),
            self.late.load(Ordering::Relaxed),
        )
    }
}
