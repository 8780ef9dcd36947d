//! Keys that Globe keeps for its own records, in whatever namespace they lie: never entries of a map, and never written by
//! one.
//!
//! Never hides what anybody else has written, unless it lies in a folder of that name.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream::try_unfold;
use globe_log_client::{
    Change, Difference, Error, ErrorKind, Keyspace, Result, Snapshot, Tail, Transaction,
};

use crate::records::keys::OWN_FOLDER;

/// Whether a key lies in a folder of Globe's own: directly, if a namespace is called as the keyspace is, or deeper, if one
/// begins with its name.
pub(crate) fn is_reserved(key: &[u8]) -> bool {
    let mut folders = key.rsplit(|byte| *byte == b'/').skip(1);
    folders.any(|folder| folder == OWN_FOLDER.as_bytes())
}

/// Refuses what would write a record of Globe's own, or depend on one.
pub(crate) fn check(transaction: &Transaction) -> Result<()> {
    let compared = transaction
        .preconditions()
        .iter()
        .map(|(at, key, _)| (at, key));
    let written = transaction.writes().iter().map(|(at, key, _)| (at, key));
    let Some((keyspace, key)) = compared.chain(written).find(|(_, key)| is_reserved(key)) else {
        return Ok(());
    };
    let key = String::from_utf8_lossy(key);
    let why = format!(
        "the key {keyspace}/{key} lies in a folder {OWN_FOLDER}, which is kept for Globe's own records"
    );
    Err(Error::new(ErrorKind::Invalid, why))
}

/// Keeps Globe's own records out of what is read of keyspaces that overlap with a namespace, and says so once of each.
pub(crate) struct Overlaps {
    namespace: String,
    told: Mutex<HashSet<Keyspace>>,
}

impl Overlaps {
    pub(crate) fn new(namespace: &str) -> Overlaps {
        Overlaps {
            namespace: namespace.to_owned(),
            told: Mutex::default(),
        }
    }

    /// The snapshot without them.
    pub(crate) fn out_of_snapshot(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        snapshot: Snapshot,
    ) -> Snapshot {
        let (overlaps, keyspace) = (Arc::clone(self), keyspace.clone());
        let position = snapshot.position();
        let pages = try_unfold(snapshot, move |mut snapshot| {
            let (overlaps, keyspace) = (Arc::clone(&overlaps), keyspace.clone());
            async move {
                let Some(mut page) = snapshot.next_page().await? else {
                    return Ok(None);
                };
                page.retain(|record| overlaps.is_entry(&keyspace, &record.key));
                Ok(Some((page, snapshot)))
            }
        });
        Snapshot::new(position, pages)
    }

    /// The difference without them.
    pub(crate) fn out_of_difference(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        difference: Difference,
    ) -> Difference {
        let (overlaps, keyspace) = (Arc::clone(self), keyspace.clone());
        let position = difference.position();
        let pages = try_unfold(difference, move |mut difference| {
            let (overlaps, keyspace) = (Arc::clone(&overlaps), keyspace.clone());
            async move {
                let Some(mut page) = difference.next_page().await? else {
                    return Ok(None);
                };
                page.retain(|change| overlaps.is_entry(&keyspace, change.key()));
                Ok(Some((page, difference)))
            }
        });
        Difference::new(position, pages)
    }

    /// The tail without them. A commit that wrote nothing else is progress.
    pub(crate) fn out_of_tail(self: &Arc<Self>, keyspace: &Keyspace, tail: Tail) -> Tail {
        let (overlaps, keyspace) = (Arc::clone(self), keyspace.clone());
        let batches = try_unfold(tail, move |mut tail| {
            let (overlaps, keyspace) = (Arc::clone(&overlaps), keyspace.clone());
            async move {
                let mut batch = tail.next().await?;
                let is_entry = |change: &Change| overlaps.is_entry(&keyspace, change.key());
                batch.changes.retain(is_entry);
                Ok(Some((batch, tail)))
            }
        });
        Tail::new(batches)
    }

    fn is_entry(&self, keyspace: &Keyspace, key: &Bytes) -> bool {
        let is_reserved = is_reserved(key);
        if is_reserved {
            self.tell(keyspace, key);
        }
        !is_reserved
    }

    /// Warns once of each keyspace, by the names of both.
    fn tell(&self, keyspace: &Keyspace, key: &Bytes) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.insert(keyspace.clone()) {
            return;
        }
        drop(told);
        let name = format!(
            "{}{keyspace}/{}",
            self.namespace,
            String::from_utf8_lossy(key)
        );
        let namespace = name.split(OWN_FOLDER).next().unwrap_or_default();
        tracing::warn!(
            %keyspace,
            namespace,
            "a keyspace of the etcd log overlaps with a namespace: what lies there in a folder .globe is never an entry, \
             the rest is; use another namespace or another keyspace"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_globes_own_is_told_from_keys_that_look_like_it() {
        for reserved in [
            ".globe/epoch",
            ".globe/",
            "eu/.globe/writer/7/0",
            "a/b/.globe/x/y",
        ] {
            assert!(is_reserved(reserved.as_bytes()), "{reserved}");
        }
        for entry in [
            "",
            ".globe",
            "x.globe/epoch",
            ".globes/x",
            "eu/.globe",
            "globe/x",
            "\u{ff}/.",
        ] {
            assert!(!is_reserved(entry.as_bytes()), "{entry}");
        }
    }

    #[test]
    fn neither_a_write_nor_a_guard_may_name_one() {
        let keyspace = Keyspace::new("prod").unwrap();
        let own = ".globe/writer/7/0";
        for transaction in [
            Transaction::new().put(&keyspace, own, "1"),
            Transaction::new()
                .put(&keyspace, "good", "1")
                .delete(&keyspace, own),
            Transaction::new().when(&keyspace, own, globe_log_client::Precondition::Absent),
        ] {
            let error = check(&transaction).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Invalid);
            assert!(error.to_string().contains("prod/.globe/"), "{error}");
        }
        check(&Transaction::new().put(&keyspace, "good", "1")).unwrap();
    }
}
