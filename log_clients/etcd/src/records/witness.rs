//! A record that was seen, by which a later answer can be told to come from the same history.
//!
//! Never holds a value: only a print of it.

use std::hash::{DefaultHasher, Hash, Hasher};

use etcd_client::proto::PbKeyValue;
use etcd_client::{GetOptions, TxnOp};

use crate::records::number;

/// A larger value is not read again and again: its revision and its counts have to do.
const MAX_REREAD: usize = 4 * 1024;

/// One put that was seen. In the same history the same key stands at the same revision with the same print, for ever.
///
/// Why a record: revisions alone cannot tell a restored log that has passed its old revision again. Costs one key in
/// each linearizable read, and up to 4 KiB of value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    pub(crate) key: Vec<u8>,
    pub(crate) revision: u64,
    /// Of all that the record held; `None` when only its revision is known.
    pub(crate) print: Option<u64>,
    /// Its value is too large to be asked for each time, and is not in the print.
    is_large: bool,
    /// The history at its revision is forgotten: only the key as it is now can still speak for it.
    pub(crate) is_forgotten: bool,
}

/// The last change that was seen of a keyspace. In the same history it is there for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LastChange {
    Put(Witness),
    Delete { key: Vec<u8>, revision: u64 },
}

/// What a witness says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Testimony {
    SameHistory,
    OtherHistory,
    /// The record has been written since, and its old state is forgotten.
    Silent,
}

impl Witness {
    pub(crate) fn of(record: &PbKeyValue) -> Witness {
        let is_large = record.value.len() > MAX_REREAD;
        Witness {
            key: record.key.clone(),
            revision: u64::try_from(record.mod_revision).unwrap_or(0),
            print: Some(print(record, !is_large)),
            is_large,
            is_forgotten: false,
        }
    }

    /// A key known to have been written at `revision`.
    pub(crate) fn at(key: Vec<u8>, revision: u64) -> Witness {
        Witness {
            key,
            revision,
            print: None,
            is_large: false,
            is_forgotten: false,
        }
    }

    /// The question for its key: as of its revision, or as it is now if that is forgotten.
    pub(crate) fn question(&self) -> TxnOp {
        self.question_as_of((!self.is_forgotten).then_some(self.revision))
    }

    /// The question for its key as of a revision, or as it is now.
    pub(crate) fn question_as_of(&self, at: Option<u64>) -> TxnOp {
        let mut options = GetOptions::new();
        if let Some(at) = at {
            options = options.with_revision(number(at));
        }
        if self.is_large {
            options = options.with_keys_only();
        }
        TxnOp::get(self.key.clone(), Some(options))
    }

    /// What it says, given the record found under its key: at its revision, or now if that is forgotten.
    pub(crate) fn testify(&self, found: Option<&PbKeyValue>) -> Testimony {
        let stands = found.is_some_and(|record| {
            u64::try_from(record.mod_revision) == Ok(self.revision)
                && self
                    .print
                    .is_none_or(|expected| expected == print(record, !self.is_large))
        });
        // What was seen written at a revision is never older than that again, in the same history.
        let is_older = found.is_some_and(|record| {
            u64::try_from(record.mod_revision).is_ok_and(|at| at <= self.revision)
        });
        match (stands, self.is_forgotten) {
            (true, _) => Testimony::SameHistory,
            (false, true) if !is_older => Testimony::Silent,
            (false, _) => Testimony::OtherHistory,
        }
    }
}

fn print(record: &PbKeyValue, with_value: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    (record.create_revision, record.version, record.lease).hash(&mut hasher);
    if with_value {
        record.value.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: i64, value: &str) -> PbKeyValue {
        PbKeyValue {
            key: b"k".to_vec(),
            value: value.into(),
            create_revision: 3,
            mod_revision: revision,
            version: 2,
            lease: 0,
        }
    }

    #[test]
    fn only_the_very_record_is_the_same_history() {
        let witness = Witness::of(&record(7, "a"));
        let say = |found: Option<&PbKeyValue>| witness.testify(found);
        assert_eq!(say(Some(&record(7, "a"))), Testimony::SameHistory);
        assert_eq!(say(Some(&record(7, "b"))), Testimony::OtherHistory);
        assert_eq!(say(Some(&record(6, "a"))), Testimony::OtherHistory);
        assert_eq!(say(None), Testimony::OtherHistory);
    }

    #[test]
    fn a_large_value_is_known_again_without_reading_it() {
        let large = "x".repeat(MAX_REREAD + 1);
        let witness = Witness::of(&record(7, &large));
        let without_value = record(7, "");
        assert_eq!(
            witness.testify(Some(&without_value)),
            Testimony::SameHistory
        );
        let rewritten = PbKeyValue {
            version: 3,
            ..without_value
        };
        assert_eq!(witness.testify(Some(&rewritten)), Testimony::OtherHistory);
    }

    #[test]
    fn a_record_written_since_says_nothing_once_its_past_is_forgotten() {
        let mut witness = Witness::of(&record(7, "a"));
        witness.is_forgotten = true;
        assert_eq!(witness.testify(Some(&record(9, "b"))), Testimony::Silent);
        assert_eq!(
            witness.testify(Some(&record(7, "a"))),
            Testimony::SameHistory
        );
        assert_eq!(witness.testify(None), Testimony::Silent);
    }

    #[test]
    fn a_record_older_than_it_was_seen_is_of_another_history_even_if_its_past_is_forgotten() {
        let mut witness = Witness::of(&record(7, "a"));
        witness.is_forgotten = true;
        for older in [record(6, "a"), record(7, "b")] {
            assert_eq!(witness.testify(Some(&older)), Testimony::OtherHistory);
        }
    }
}
