//! Looks at each table, and counts: how often a shard had no owner, and how often one changed hands.
//!
//! Never takes part.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use globe::Shards;
use globe::shards::Table;

/// What was seen since it was asked last.
#[derive(Debug, Default)]
pub(crate) struct Onlooker {
    tables: AtomicU64,
    gaps: AtomicU64,
    moves: AtomicU64,
}

impl Onlooker {
    /// Looks on from now on.
    pub(crate) fn at(shards: &Shards) -> Arc<Onlooker> {
        let onlooker = Arc::new(Onlooker::default());
        let (looking, shards) = (Arc::clone(&onlooker), shards.clone());
        tokio::spawn(async move {
            let mut table = shards.table();
            loop {
                let next = shards.changed(table.position()).await;
                looking.look(&table, &next);
                table = next;
            }
        });
        onlooker
    }

    fn look(&self, before: &Table, now: &Table) {
        self.tables.fetch_add(1, Ordering::Relaxed);
        self.gaps.fetch_add(gaps(now), Ordering::Relaxed);
        let (before, now) = (terms(before), terms(now));
        let moved = now.iter().map(|(shard, term)| {
            let before = before.get(shard).copied().unwrap_or_default();
            term.saturating_sub(before)
        });
        self.moves.fetch_add(moved.sum(), Ordering::Relaxed);
    }

    /// Tables, shards without an owner in any of them, and changes of hands: since the last call.
    pub(crate) fn seen(&self) -> (u64, u64, u64) {
        let taken =
            [&self.tables, &self.gaps, &self.moves].map(|count| count.swap(0, Ordering::Relaxed));
        (taken[0], taken[1], taken[2])
    }
}

/// How many shards nobody owns, or somebody who is dead.
pub(crate) fn gaps(table: &Table) -> u64 {
    let shards = table.shards();
    shards
        .filter(|shard| table.owner_of_shard(*shard).is_none())
        .count() as u64
}

/// How often each shard has changed hands.
fn terms(table: &Table) -> BTreeMap<u32, u64> {
    table
        .rows()
        .map(|(shard, _, row)| (shard, row.term))
        .collect()
}
