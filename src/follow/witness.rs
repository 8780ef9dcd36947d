//! By what a copy on disk knows its log again, before that is followed: what changed last in it, and what the log says of that.
//!
//! It never takes silence for an answer, neither way, and never asks for more than single keys.

use globe_log_client::{
    Bytes, Error, ErrorKind, Keyspace, LogClient, Position, Record, Result, Revision,
};
use globe_offline::OfflineCopy;

use crate::follow::fetching::answer;

/// Records that are asked for, one after the other, while the log cannot tell.
const MOST: usize = 4;

/// What the log says of what a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Testimony {
    SameHistory,
    OtherHistory,
    /// It cannot be told.
    Silent,
}

/// What the log is asked about a copy that is shown.
#[derive(Debug)]
pub(crate) struct Witnesses {
    /// Where the copy stands.
    then: Position,
    witnesses: Vec<Witness>,
    /// The doubt about what is shown that ends when the log is known.
    pub(crate) doubt: u64,
}

/// What stood at a key where the copy stands.
#[derive(Debug)]
struct Witness {
    key: Bytes,
    stood: Option<Record>,
}

/// The newest records of a copy, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Newest<'a>(Vec<&'a Record>);

impl<'a> Newest<'a> {
    pub(crate) fn see(&mut self, records: &'a [Record]) {
        for record in records {
            let newer = |other: &&Record| other.modified >= record.modified;
            let place = self.0.partition_point(newer);
            if place < MOST {
                self.0.insert(place, record);
                self.0.truncate(MOST);
            }
        }
    }
}

impl Witnesses {
    pub(crate) fn of(copy: &OfflineCopy, newest: Newest<'_>, doubt: u64) -> Witnesses {
        // No record shows that something was deleted after it.
        let deleted = copy.deleted_last.iter().map(|key| Witness {
            key: Bytes::copy_from_slice(key),
            stood: None,
        });
        let newest = newest.0.into_iter().map(|record| Witness {
            key: Bytes::copy_from_slice(&record.key),
            stood: Some(copied(record)),
        });
        Witnesses {
            then: copy.position,
            witnesses: deleted.chain(newest).collect(),
            doubt,
        }
    }

    /// Asks the log until one of them has an answer: mostly the first one.
    ///
    /// A log that remembers where the copy stands tells of each record. One that does not is asked what stands now, which tells
    /// where nobody has written since; a tail from there it refuses in any case, and what has changed is read by a proof of its own.
    pub(crate) async fn testify(
        &self,
        log: &dyn LogClient,
        keyspace: &Keyspace,
    ) -> Result<Testimony> {
        let mut at = self.then;
        for witness in &self.witnesses {
            let mut found = stands(log, keyspace, witness, at).await;
            if at == self.then && is(&found, &ErrorKind::Compacted) {
                at = self.head(log, keyspace).await?;
                found = stands(log, keyspace, witness, at).await;
            }
            let testimony = match found {
                Ok(found) if at == self.then => witness.of_then(found.as_ref()),
                Ok(found) => witness.of_now(found.as_ref(), self.then.revision),
                // Meanwhile.
                Err(error) if *error.kind() == ErrorKind::Compacted => Testimony::Silent,
                Err(error) if *error.kind() == ErrorKind::Unsupported => {
                    return Ok(Testimony::Silent);
                }
                Err(error) => return Err(error),
            };
            if testimony != Testimony::Silent {
                return Ok(testimony);
            }
        }
        Ok(Testimony::Silent)
    }

    /// Where the log is now, in the same life.
    async fn head(&self, log: &dyn LogClient, keyspace: &Keyspace) -> Result<Position> {
        let head = answer("the head", log.head(keyspace)).await?;
        if head.covers(self.then) {
            return Ok(head);
        }
        let why = format!("the log is at {head}, and the copy at {}", self.then);
        Err(Error::new(ErrorKind::EpochChanged, why))
    }
}

async fn stands(
    log: &dyn LogClient,
    keyspace: &Keyspace,
    witness: &Witness,
    at: Position,
) -> Result<Option<Record>> {
    let asked = log.record_at(keyspace, &witness.key, at);
    answer("a record of the copy", asked).await
}

fn is<T>(answer: &Result<T>, kind: &ErrorKind) -> bool {
    answer.as_ref().is_err_and(|error| error.kind() == kind)
}

/// What is kept of a copy holds on to all of its file.
fn copied(record: &Record) -> Record {
    let (key, value) = (&record.key, &record.value);
    let [key, value] = [key, value].map(|bytes| Bytes::copy_from_slice(bytes));
    Record::new(key, value, record.created, record.modified).with_lease(record.lease)
}

impl Witness {
    /// What it says, by what the log held at its key where the copy stands.
    fn of_then(&self, found: Option<&Record>) -> Testimony {
        match (&self.stood, found) {
            // Nothing stands at most keys of any log.
            (None, None) => Testimony::Silent,
            (stood, found) if stood.as_ref() == found => Testimony::SameHistory,
            _ => Testimony::OtherHistory,
        }
    }

    /// What it says, by what the log holds at its key now, where how it was then is forgotten.
    fn of_now(&self, found: Option<&Record>, then: Revision) -> Testimony {
        match found {
            // It stood there then.
            Some(record) if record.modified <= then => self.of_then(found),
            // Written or deleted since; or undone.
            _newer => Testimony::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(created: u64, modified: u64, value: &'static str) -> Record {
        Record::new("k", value, Revision(created), Revision(modified))
    }

    fn witness(stood: Option<Record>) -> Witness {
        let key = Bytes::from_static(b"k");
        Witness { key, stood }
    }

    #[test]
    fn only_the_very_write_is_the_same_history() {
        let stood = record(3, 7, "a");
        let witness = witness(Some(stood.clone()));
        let then = |found: Option<Record>| witness.of_then(found.as_ref());
        assert_eq!(then(Some(stood.clone())), Testimony::SameHistory);
        let others = [
            Some(record(3, 6, "a")),
            Some(record(3, 8, "a")),
            Some(record(4, 7, "a")),
            Some(record(3, 7, "b")),
            None,
        ];
        for other in others {
            assert_eq!(then(other.clone()), Testimony::OtherHistory, "{other:?}");
        }
    }

    #[test]
    fn a_key_that_was_deleted_tells_of_another_history_only() {
        let witness = witness(None);
        assert_eq!(witness.of_then(None), Testimony::Silent);
        let alive = record(3, 7, "a");
        assert_eq!(witness.of_then(Some(&alive)), Testimony::OtherHistory);
        let now = |found: Option<Record>| witness.of_now(found.as_ref(), Revision(7));
        assert_eq!(now(Some(alive)), Testimony::OtherHistory);
        assert_eq!(now(Some(record(8, 8, "a"))), Testimony::Silent);
        assert_eq!(now(None), Testimony::Silent);
    }

    #[test]
    fn where_how_it_was_is_forgotten_only_what_was_written_by_then_tells() {
        let witness = witness(Some(record(3, 7, "a")));
        let now = |found: Option<Record>| witness.of_now(found.as_ref(), Revision(9));
        let table = [
            (Some(record(3, 7, "a")), Testimony::SameHistory),
            (Some(record(3, 6, "a")), Testimony::OtherHistory),
            (Some(record(3, 9, "a")), Testimony::OtherHistory),
            (Some(record(3, 10, "a")), Testimony::Silent),
            (None, Testimony::Silent),
        ];
        for (found, testimony) in table {
            assert_eq!(now(found.clone()), testimony, "{found:?}");
        }
    }

    #[test]
    fn the_newest_records_are_asked_for_the_newest_first() {
        let records = [4, 9, 2, 7, 8, 1, 5].map(|modified| record(1, modified, ""));
        let (first, rest) = records.split_at(3);
        let mut newest = Newest::default();
        newest.see(first);
        newest.see(rest);
        let newest: Vec<u64> = newest.0.iter().map(|record| record.modified.0).collect();
        assert_eq!(newest, [9, 8, 7, 5]);
    }
}
