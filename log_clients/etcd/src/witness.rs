//! A record that was seen, by which a later answer can be told to come from the same history.
//!
//! Never holds a value: only a print of it.

use std::hash::{DefaultHasher, Hash, Hasher};

use etcd_client::proto::PbKeyValue;

/// One put that was seen. In the same history the same key stands at the same revision with the same print, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    pub(crate) key: Vec<u8>,
    pub(crate) revision: u64,
    /// Of all that the record held; `None` when only its revision is known.
    pub(crate) print: Option<u64>,
    /// The history at its revision is forgotten: only the key as it is now can still speak for it.
    pub(crate) is_forgotten: bool,
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
        Witness {
            key: record.key.clone(),
            revision: u64::try_from(record.mod_revision).unwrap_or(0),
            print: Some(print(record)),
            is_forgotten: false,
        }
    }

    /// A key known to have been written at `revision`.
    pub(crate) fn at(key: Vec<u8>, revision: u64) -> Witness {
        Witness {
            key,
            revision,
            print: None,
            is_forgotten: false,
        }
    }

    /// What it says, given the record found under its key: at its revision, or now if that is forgotten.
    pub(crate) fn testify(&self, found: Option<&PbKeyValue>) -> Testimony {
        let stands = found.is_some_and(|record| {
            u64::try_from(record.mod_revision) == Ok(self.revision)
                && self.print.is_none_or(|expected| expected == print(record))
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

fn print(record: &PbKeyValue) -> u64 {
    let mut hasher = DefaultHasher::new();
    (record.create_revision, record.version, record.lease).hash(&mut hasher);
    record.value.hash(&mut hasher);
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
