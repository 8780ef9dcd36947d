//! What transactions that are sent together write, and what guards them.
//!
//! Never lets one of them see what another writes: then it would matter which of them comes first, and they have no order.

use std::collections::{HashMap, HashSet};

use globe_log_client::{Bytes, Capabilities, Keyspace, Precondition, Transaction};

type Target = (Keyspace, Bytes);

/// The keys of some transactions, and how much they take up.
#[derive(Default)]
pub(crate) struct Footprint {
    written: HashSet<Target>,
    guarded: HashMap<Target, Precondition>,
    bytes: usize,
}

impl Footprint {
    /// Whether it neither writes what one of the others writes or is guarded by, nor is guarded by what one of them writes. Two
    /// may be guarded by the same: both fail with it, or neither.
    pub(crate) fn is_apart_from(&self, transaction: &Transaction) -> bool {
        let mut writes = transaction.writes().iter();
        let mut guards = transaction.preconditions().iter();
        let is_untouched =
            |target: &Target| !self.written.contains(target) && !self.guarded.contains_key(target);
        let is_as_guarded = |target: &Target, guard: &Precondition| {
            let other = self.guarded.get(target);
            !self.written.contains(target) && other.is_none_or(|other| other == guard)
        };
        writes.all(|(keyspace, key, _)| is_untouched(&target(keyspace, key)))
            && guards.all(|(keyspace, key, guard)| is_as_guarded(&target(keyspace, key), guard))
    }

    /// Whether a log takes all of it as one transaction.
    pub(crate) fn fits_with(&self, transaction: &Transaction, capabilities: &Capabilities) -> bool {
        let writes = self.written.len() + transaction.writes().len();
        let guards = self.guarded.len() + transaction.preconditions().len();
        writes.max(guards) <= capabilities.max_operations
            && self.bytes + transaction.bytes() <= capabilities.max_transaction_bytes
    }

    pub(crate) fn add(&mut self, transaction: &Transaction) {
        let writes = transaction.writes().iter();
        self.written
            .extend(writes.map(|(keyspace, key, _)| target(keyspace, key)));
        let guards = transaction.preconditions().iter();
        self.guarded
            .extend(guards.map(|(keyspace, key, guard)| (target(keyspace, key), *guard)));
        self.bytes += transaction.bytes();
    }
}

fn target(keyspace: &Keyspace, key: &Bytes) -> Target {
    (keyspace.clone(), key.clone())
}

#[cfg(test)]
mod tests {
    use globe_log_client::Revision;

    use super::*;

    #[test]
    fn those_are_apart_of_which_neither_sees_what_the_other_writes() {
        let flags = Keyspace::new("flags").unwrap();
        let (at, absent) = (Precondition::At(Revision(3)), Precondition::Absent);
        let writing = |key: &str| Transaction::new().put(&flags, key.to_owned(), "1");
        let mut footprint = Footprint::default();
        footprint.add(&writing("written").when(&flags, "read", at));
        let elsewhere = Keyspace::new("elsewhere").unwrap();
        let table = [
            (writing("other"), true),
            (writing("written"), false),
            (Transaction::new().delete(&flags, "written"), false),
            (Transaction::new().put(&elsewhere, "written", "1"), true),
            (writing("read"), false),
            (writing("other").when(&flags, "written", at), false),
            (writing("other").when(&flags, "read", at), true),
            (writing("other").when(&flags, "read", absent), false),
            (writing("other").when(&flags, "unread", absent), true),
            (writing("other").put(&flags, "written", "1"), false),
        ];
        for (transaction, expected) in table {
            assert_eq!(
                footprint.is_apart_from(&transaction),
                expected,
                "{transaction:?}"
            );
        }
    }
}
