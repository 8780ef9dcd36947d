//! Where a record of the log becomes an entry, or one that is kept out because it cannot be decoded.
//!
//! It decides nothing of what is shown in the place of a bad record, and never lets a panic of a codec through.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use globe_log_client::{Epoch, Error, ErrorKind, Keyspace, Record, Version};

use crate::entry::Entry;
use crate::entry::codec::Decode;
use crate::entry::key::{Key, decode_key, is_written};
use crate::entry::quarantine::{LastGood, Quarantined};
use crate::follow::complaints::Complaints;
use crate::follow::door::Refusal;
use crate::follow::staged::Staged;
use crate::replica::state::State;

/// Why a record is kept out whose key is equal to that of one that is shown.
pub(crate) const WRITTEN_OTHERWISE: &str =
    "another record has an equal key that is written otherwise";

/// Decodes the records of one map.
pub(crate) struct Decoder<V> {
    keyspace: Keyspace,
    codec: Arc<dyn Decode<V>>,
    /// Whether a record that cannot be decoded ends the map.
    strict: bool,
    complaints: Complaints,
}

impl<V: 'static> Decoder<V> {
    pub(crate) fn new(keyspace: Keyspace, codec: Arc<dyn Decode<V>>, strict: bool) -> Decoder<V> {
        Decoder {
            keyspace,
            codec,
            strict,
            complaints: Complaints::default(),
        }
    }

    /// The entry that a record is in a life of the log, or why its value cannot be decoded. A codec that panics is a codec
    /// that could not decode it.
    pub(crate) fn entry(&self, record: &Record, epoch: Epoch) -> Result<Entry<V>, String> {
        let decode = || {
            let decoded = self.codec.decode(&record.value);
            decoded.map_err(|error| error.to_string())
        };
        match catch_unwind(AssertUnwindSafe(decode)) {
            Ok(decoded) => decoded.map(|value| Entry::new(record, epoch, value)),
            Err(_) => Err("the codec panicked".to_owned()),
        }
    }

    /// Keeps a record out of the next state; under `strict` refuses it.
    pub(crate) fn keep_out<K: Key>(
        &mut self,
        staged: &mut Staged<K, V>,
        record: &Record,
        reason: &str,
        last_good: LastGood,
    ) -> Result<(), Refusal> {
        if self.strict {
            return Err(self.undecodable(record, reason));
        }
        let version = Version::new(staged.state.position.epoch, record.modified);
        let bad = Quarantined::new(record, version, reason, last_good);
        self.complaints.of(&self.keyspace, &bad);
        staged.keep_out(bad);
        Ok(())
    }

    fn undecodable(&self, record: &Record, reason: &str) -> Refusal {
        let (keyspace, revision) = (&self.keyspace, record.modified);
        let key = String::from_utf8_lossy(&record.key);
        Refusal::Undecodable(Error::new(
            ErrorKind::Codec,
            format!(
                "the record {keyspace}/{key} of revision {revision} cannot be decoded: {reason}"
            ),
        ))
    }

    /// A batch is taken in: so many records are kept out now.
    pub(crate) fn sum_up(&mut self, kept_out: usize) {
        self.complaints.sum_up(&self.keyspace, kept_out);
    }

    /// A snapshot is taken in: so many records are kept out now.
    pub(crate) fn sum_up_snapshot(&mut self, kept_out: usize) {
        self.complaints.sum_up_snapshot(&self.keyspace, kept_out);
    }
}

/// The key that a text of the log stands for beside what is shown, or why it stands for none: of two texts whose keys are
/// equal, only one is shown.
pub(crate) fn key_beside<K: Key, V>(shown: &State<K, V>, text: &[u8]) -> Result<Arc<K>, String> {
    let as_text = str::from_utf8(text).ok();
    if let Some(kept) = as_text.and_then(|text| shown.entries.written_as(text)) {
        return Ok(Arc::clone(kept));
    }
    let key = decode_key(text)?;
    match shown.entries.get_key_value(&key) {
        Some((kept, _)) if !is_written(&**kept, text) => Err(WRITTEN_OTHERWISE.to_owned()),
        Some((kept, _)) => Ok(Arc::clone(kept)),
        None => Ok(Arc::new(key)),
    }
}

/// Whether what stands at a key is a record whose key is equal, but written otherwise.
pub(crate) fn is_written_otherwise<K: Key, V>(state: &State<K, V>, key: &K, text: &[u8]) -> bool {
    // The keys of a snapshot mostly come in their order, each behind all that is there: that is seen at once, while to look
    // for it in a large map is what taking it in costs most.
    let last = state.entries.last_key();
    if last.is_none_or(|last| last < key) {
        return false;
    }
    let stands = state.entries.get_key_value(key);
    stands.is_some_and(|(stands, _)| !is_written(&**stands, text))
}

#[cfg(test)]
mod tests {
    use globe_log_client::Revision;

    use super::*;
    use crate::entry::codec::CodecError;

    /// Reads no number that is not one, and panics at `0`.
    struct Numbers;

    impl Decode<u64> for Numbers {
        fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
            let number: u64 = std::str::from_utf8(bytes)?.parse()?;
            assert!(number > 0, "zero is a trap");
            Ok(number)
        }
    }

    fn decoder(strict: bool) -> Decoder<u64> {
        let keyspace = Keyspace::new("numbers").unwrap();
        Decoder::new(keyspace, Arc::new(Numbers), strict)
    }

    fn record(value: &'static str) -> Record {
        Record::new("k", value, Revision(3), Revision(7))
    }

    #[test]
    fn a_record_becomes_an_entry_or_says_why_not() {
        let entry = |value| decoder(false).entry(&record(value), Epoch::new(1));
        let seven = entry("7").unwrap();
        assert_eq!(
            (**seven.value(), seven.version()),
            (7, Version::new(Epoch::new(1), Revision(7)))
        );
        assert!(entry("seven").unwrap_err().contains("invalid digit"));
        assert_eq!(entry("0").unwrap_err(), "the codec panicked");
    }

    #[test]
    fn what_is_kept_out_ends_a_strict_map_and_no_other() {
        let keep_out = |strict| {
            let mut staged = Staged::after(&State::<String, u64>::empty(Arc::default()));
            let bad = record("seven");
            let kept_out =
                decoder(strict).keep_out(&mut staged, &bad, "no number", LastGood::Forgotten);
            kept_out.map(|()| staged.state.quarantine)
        };
        let quarantine = keep_out(false).unwrap();
        let bad = quarantine.get(&b"k"[..]).unwrap();
        assert_eq!(
            (&*bad.reason, bad.last_good),
            ("no number", LastGood::Forgotten)
        );
        let Err(Refusal::Undecodable(end)) = keep_out(true) else {
            panic!("a strict map keeps nothing out");
        };
        assert_eq!(
            end.to_string(),
            "codec: the record numbers/k of revision 7 cannot be decoded: no number"
        );
    }
}
