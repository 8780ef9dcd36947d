//! What a history gains when a layer changes: in the same transaction, so that it tells what was truly replaced.
//!
//! Never decides what is published: only what is remembered of it, and for how long.

use serde_json::Value;

use crate::recipes::settings::keys::LayerKeys;
use crate::recipes::settings::record::PastRecord;
use crate::recipes::settings::resolve::Unrecorded;
use crate::recipes::settings::sheet::LayerSheet;
use crate::recipes::settings::slot::Records;
use crate::{Entry, Error, ErrorKind, Result, Txn, Version};

/// How many records of a history go in one transaction, where fewer are kept than before.
const MOST_DELETED: usize = 16;

/// What stands at a key of a transaction: nothing is known of what cannot be decoded, but that it is there.
pub(crate) enum Found {
    Entry(Option<Entry<Value>>),
    Unreadable,
}

impl Found {
    /// Of a key, which is guarded by it from now on.
    pub(crate) fn at(txn: &mut Txn<'_>, map: &Records, key: &str) -> Result<Found> {
        match txn.get_entry(map, key) {
            Ok(entry) => Ok(Found::Entry(entry)),
            Err(error) if *error.kind() == ErrorKind::Codec => Ok(Found::Unreadable),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn version(&self) -> Option<Version> {
        match self {
            Found::Entry(entry) => entry.as_ref().map(Entry::version),
            Found::Unreadable => None,
        }
    }

    pub(crate) fn is_at(&self, version: Option<Version>) -> bool {
        matches!(self, Found::Unreadable) || self.version() == version
    }
}

/// Adds records to the history of a layer, oldest first, and lets the oldest go of those that are too many. To be called after
/// the layer was looked at in the transaction: the history is then at least as new.
pub(crate) fn append(
    txn: &mut Txn<'_>,
    map: &Records,
    keys: &LayerKeys,
    keep: u64,
    records: impl IntoIterator<Item = PastRecord>,
) -> Result<()> {
    let layer = LayerSheet::of(&map.view(), keys, &mut Vec::new());
    let mut newest = layer.newest;
    for record in records {
        let mut next = newest.map_or(0, |newest| newest + 1);
        // The map may be a step further than the transaction, or behind somebody else's.
        while !matches!(Found::at(txn, map, &keys.past(next))?, Found::Entry(None)) {
            next += 1;
        }
        let json = serde_json::to_value(&record).map_err(|error| {
            Error::new(ErrorKind::Codec, "a history cannot be written").with_source(error)
        })?;
        txn.put(map, keys.past(next), json)?;
        newest = Some(next);
    }
    let Some(oldest) = newest.and_then(|newest| (newest + 1).checked_sub(keep)) else {
        return Ok(());
    };
    let old = layer.past.iter().rev().map(|(number, _)| *number);
    for number in old.filter(|number| *number < oldest).take(MOST_DELETED) {
        txn.delete(map, keys.past(number))?;
    }
    Ok(())
}

/// Adds what is missing, if what was seen then still stands.
pub(crate) async fn record(
    map: &Records,
    keys: &LayerKeys,
    keep: u64,
    missing: &Unrecorded,
) -> Result<()> {
    let recording = map.transact(|txn| {
        let found = Found::at(txn, map, &keys.value)?;
        let layer = LayerSheet::of(&map.view(), keys, &mut Vec::new());
        if !found.is_at(missing.stands) || layer.newest != missing.newest {
            return Ok(());
        }
        let past = PastRecord {
            value: missing.value.clone(),
            ..PastRecord::default()
        };
        append(txn, map, keys, keep, [past])
    });
    recording.await.map(drop)
}
