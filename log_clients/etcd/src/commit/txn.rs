//! A transaction in etcd's words: its compares, its writes, and what its answer says of them.
//!
//! Never talks to a server.

use std::fmt;

use etcd_client::proto::{PbKeyValue, PbRangeResponse};
use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, TxnOp};
use globe_log_client::{
    Error, ErrorKind, FailedPrecondition, Precondition, Result, Revision, Transaction, Write,
};

use crate::records::keys::Keys;
use crate::records::{lease_number, number, standing};

/// The comparisons of a transaction's preconditions: of create and modify revisions, never of values, which would have
/// to be sent.
pub(crate) fn compares(keys: &Keys, transaction: &Transaction) -> Result<Vec<Compare>> {
    let preconditions = transaction.preconditions().iter();
    let compare = preconditions.map(|(keyspace, key, precondition)| {
        let key = keys.record(keyspace, key);
        Ok(match precondition {
            Precondition::Absent => Compare::create_revision(key, CompareOp::Equal, 0),
            Precondition::Present => Compare::create_revision(key, CompareOp::NotEqual, 0),
            // Only what exists has a revision above zero, so zero here would mean absent.
            Precondition::At(Revision::ZERO) | Precondition::Since(Revision::ZERO) => {
                Compare::create_revision(key, CompareOp::Less, 0)
            }
            Precondition::At(revision) => {
                Compare::mod_revision(key, CompareOp::Equal, number(revision.0))
            }
            Precondition::Since(revision) => {
                Compare::create_revision(key, CompareOp::Equal, number(revision.0))
            }
            unknown => return Err(not_known(format_args!("the precondition {unknown:?}"))),
        })
    });
    compare.collect()
}

/// The writes of a transaction. A put without a lease takes the key off the lease it has, as etcd does it: who wants to
/// keep it says so in the transaction.
pub(crate) fn writes(keys: &Keys, transaction: &Transaction) -> Result<Vec<TxnOp>> {
    let writes = transaction.writes().iter();
    let op = writes.map(|(keyspace, key, write)| {
        let key = keys.record(keyspace, key);
        Ok(match write {
            Write::Delete => TxnOp::delete(key, None),
            Write::Put { value, lease, .. } => {
                let options = lease.map(|lease| PutOptions::new().with_lease(lease_number(lease)));
                TxnOp::put(key, value.as_ref(), options)
            }
            unknown => return Err(not_known(format_args!("the write {unknown:?}"))),
        })
    });
    op.collect()
}

/// What a newer contract can say is refused, and never passed over.
fn not_known(what: fmt::Arguments<'_>) -> Error {
    let why = format!("this etcd log does not know {what}: nothing was sent");
    Error::new(ErrorKind::Unsupported, why)
}

/// Reads of what stands where a precondition may fail. Without the values: all of them together may be far more than one
/// answer can hold, and nobody asked for them.
pub(crate) fn look(keys: &Keys, transaction: &Transaction) -> Vec<TxnOp> {
    let preconditions = transaction.preconditions().iter();
    let get = preconditions.map(|(keyspace, key, _)| {
        let options = GetOptions::new().with_keys_only();
        TxnOp::get(keys.record(keyspace, key), Some(options))
    });
    get.collect()
}

/// The preconditions that do not hold, given what stands at each.
pub(crate) fn failed(
    transaction: &Transaction,
    looked: &[PbRangeResponse],
) -> Vec<FailedPrecondition> {
    let found = looked.iter().map(|answer| answer.kvs.first());
    let preconditions = transaction.preconditions().iter().zip(found);
    let failed =
        preconditions.filter(|((_, _, precondition), found)| !holds(*precondition, *found));
    failed
        .map(|((keyspace, key, _), found)| {
            FailedPrecondition::new(keyspace.clone(), key.clone(), found.map(standing))
        })
        .collect()
}

/// As the server judges it, for what it says stands there.
fn holds(precondition: Precondition, found: Option<&PbKeyValue>) -> bool {
    match precondition {
        Precondition::Absent => found.is_none(),
        Precondition::Present => found.is_some(),
        Precondition::At(revision) => {
            found.is_some_and(|found| u64::try_from(found.mod_revision) == Ok(revision.0))
        }
        Precondition::Since(revision) => {
            found.is_some_and(|found| u64::try_from(found.create_revision) == Ok(revision.0))
        }
        // It was never sent.
        _ => false,
    }
}

/// Whether sending it twice is harmless: if every key it writes must be at a revision, which comes only once. A key that it
/// deletes may as well have to be there since one; a put would find it so again.
pub(crate) fn is_guarded_by_revisions(transaction: &Transaction) -> bool {
    let is_guarded = |(keyspace, key, write): &(_, _, Write)| {
        transaction.preconditions().iter().any(|(k, name, guard)| {
            let is_once = match guard {
                Precondition::At(_) => true,
                Precondition::Since(_) => matches!(write, Write::Delete),
                _ => false,
            };
            k == keyspace && name == key && is_once
        })
    };
    transaction.writes().iter().all(is_guarded)
}

/// Whether it makes room, and is taken by a log that is full.
pub(crate) fn only_deletes(transaction: &Transaction) -> bool {
    let is_delete = |(_, _, write): &(_, _, Write)| matches!(write, Write::Delete);
    transaction.writes().iter().all(is_delete)
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Keyspace, Revision};

    use super::*;

    #[test]
    fn preconditions_hold_of_what_they_say() {
        let here = PbKeyValue {
            create_revision: 5,
            mod_revision: 7,
            ..PbKeyValue::default()
        };
        let table = [
            (Precondition::Absent, None, true),
            (Precondition::Absent, Some(&here), false),
            (Precondition::Present, None, false),
            (Precondition::Present, Some(&here), true),
            (Precondition::At(Revision(7)), Some(&here), true),
            (Precondition::At(Revision(6)), Some(&here), false),
            (Precondition::At(Revision(5)), Some(&here), false),
            (Precondition::At(Revision(0)), None, false),
            (Precondition::Since(Revision(5)), Some(&here), true),
            (Precondition::Since(Revision(6)), Some(&here), false),
            (Precondition::Since(Revision(7)), Some(&here), false),
            (Precondition::Since(Revision(0)), None, false),
        ];
        for (precondition, found, expected) in table {
            assert_eq!(holds(precondition, found), expected, "{precondition:?}");
        }
    }

    #[test]
    fn only_a_revision_on_every_written_key_guards_against_a_second_copy() {
        let flags = Keyspace::new("flags").unwrap();
        let guarded_by = |guard| Transaction::new().when(&flags, "a", guard);
        let (at, since) = (
            Precondition::At(Revision(3)),
            Precondition::Since(Revision(3)),
        );
        for (guard, put, delete) in [
            (at, true, true),
            // Once deleted the key is there since another revision; once put, since the same.
            (since, false, true),
            (Precondition::Absent, false, false),
            (Precondition::Present, false, false),
        ] {
            let written = guarded_by(guard).put(&flags, "a", "");
            assert_eq!(is_guarded_by_revisions(&written), put, "{guard:?}");
            let deleted = guarded_by(guard).delete(&flags, "a");
            assert_eq!(is_guarded_by_revisions(&deleted), delete, "{guard:?}");
            let elsewhere = deleted.delete(&flags, "b");
            assert!(!is_guarded_by_revisions(&elsewhere), "{guard:?}");
        }
    }
}
