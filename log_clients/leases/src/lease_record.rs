//! What the layer writes: a lease that lives, and one that has ended and still has records.
//!
//! Never reads what it would not write itself: a record by another hand is no lease.

use std::collections::BTreeSet;
use std::time::Duration;

use globe_log_client::{Keyspace, LeaseId, Record, Revision};
use serde::Deserialize;

/// The name of the keyspace of the leases.
pub(crate) const KEYSPACE: &str = "globe-leases";

const ALIVE: &str = "lease/";
const ENDED: &str = "ended/";

/// The digits of an id in a key.
const DIGITS: usize = 16;

/// So many keyspaces with names of the greatest length always fit beside a transaction.
const KEYSPACES: usize = 8;

/// The bytes that a transaction gets longer by when it puts under one lease, in a keyspace that is new to it.
pub(crate) const ROOM: usize = 2 * (KEYSPACE.len() + 1 + ALIVE.len() + DIGITS)
    + r#"{"ttl_ms":,"n":,"keyspaces":[]}"#.len()
    + 2 * 20 // the digits of two numbers
    + KEYSPACES * (Keyspace::MAX_LEN + r#""","#.len());

/// A lease that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaseRecord {
    /// In whole milliseconds.
    pub(crate) ttl: Duration,
    /// Another one after each renewal.
    pub(crate) n: u64,
    /// Where something was ever put under it. It only grows.
    pub(crate) keyspaces: BTreeSet<Keyspace>,
}

/// A lease that lives, and the commit that last wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) modified: Revision,
    pub(crate) record: LeaseRecord,
}

/// What there is of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Alive(Entry),
    /// It has ended, and something in these keyspaces may still hang on it.
    Ended(BTreeSet<Keyspace>),
}

#[derive(Deserialize)]
struct AliveJson {
    ttl_ms: u64,
    n: u64,
    keyspaces: Vec<String>,
}

#[derive(Deserialize)]
struct EndedJson {
    keyspaces: Vec<String>,
}

impl LeaseRecord {
    /// One that was not renewed yet, and on which nothing hangs.
    pub(crate) fn new(ttl_ms: u64) -> LeaseRecord {
        LeaseRecord {
            ttl: Duration::from_millis(ttl_ms),
            n: 0,
            keyspaces: BTreeSet::new(),
        }
    }

    /// The same, renewed.
    pub(crate) fn renewed(&self) -> LeaseRecord {
        LeaseRecord {
            n: self.n.wrapping_add(1),
            ..self.clone()
        }
    }

    /// The same, with more keyspaces; nothing if it has them.
    pub(crate) fn grown(&self, keyspaces: &BTreeSet<Keyspace>) -> Option<LeaseRecord> {
        if keyspaces.is_subset(&self.keyspaces) {
            return None;
        }
        let mut grown = self.clone();
        grown.keyspaces.extend(keyspaces.iter().cloned());
        Some(grown)
    }

    /// JSON, to be read in the log's own tools.
    pub(crate) fn encode(&self) -> String {
        let (ttl, n, names) = (self.ttl.as_millis(), self.n, names(&self.keyspaces));
        format!(r#"{{"ttl_ms":{ttl},"n":{n},"keyspaces":{names}}}"#)
    }

    fn decode(value: &[u8]) -> Option<LeaseRecord> {
        let json: AliveJson = serde_json::from_slice(value).ok()?;
        Some(LeaseRecord {
            ttl: Duration::from_millis(json.ttl_ms),
            n: json.n,
            keyspaces: keyspaces(&json.keyspaces)?,
        })
    }
}

impl State {
    /// Which lease a record of the keyspace is of, and what it says; nothing if it is of none.
    pub(crate) fn of(record: &Record) -> Option<(LeaseId, State)> {
        match place(&record.key)? {
            Place::Alive(id) => {
                let entry = Entry {
                    modified: record.modified,
                    record: LeaseRecord::decode(&record.value)?,
                };
                Some((id, State::Alive(entry)))
            }
            Place::Ended(id) => {
                let json: EndedJson = serde_json::from_slice(&record.value).ok()?;
                Some((id, State::Ended(keyspaces(&json.keyspaces)?)))
            }
        }
    }
}

/// The value of a lease that has ended.
pub(crate) fn encode_ended(keyspaces: &BTreeSet<Keyspace>) -> String {
    let names = names(keyspaces);
    format!(r#"{{"keyspaces":{names}}}"#)
}

/// What a key of the keyspace stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Alive(LeaseId),
    Ended(LeaseId),
}

pub(crate) fn alive_key(id: LeaseId) -> String {
    format!("{ALIVE}{:0DIGITS$x}", id.get())
}

pub(crate) fn ended_key(id: LeaseId) -> String {
    format!("{ENDED}{:0DIGITS$x}", id.get())
}

pub(crate) fn place(key: &[u8]) -> Option<Place> {
    let key = std::str::from_utf8(key).ok()?;
    let id = |digits: &str| {
        let bits = u64::from_str_radix(digits, 16).ok()?;
        (format!("{bits:0DIGITS$x}") == digits).then(|| LeaseId::new(bits))
    };
    match (key.strip_prefix(ALIVE), key.strip_prefix(ENDED)) {
        (Some(digits), _) => Some(Place::Alive(id(digits)?)),
        (_, Some(digits)) => Some(Place::Ended(id(digits)?)),
        _ => None,
    }
}

/// The name of a keyspace holds nothing that JSON would have to escape.
fn names(keyspaces: &BTreeSet<Keyspace>) -> String {
    let quoted = keyspaces.iter().map(|keyspace| format!(r#""{keyspace}""#));
    format!("[{}]", quoted.collect::<Vec<_>>().join(","))
}

fn keyspaces(names: &[String]) -> Option<BTreeSet<Keyspace>> {
    names.iter().map(|name| Keyspace::new(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &str) -> Record {
        let (key, value) = (key.to_owned(), value.to_owned());
        Record::new(key, value, Revision(3), Revision(7))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let keyspaces = ["a", "b:c"].map(|name| Keyspace::new(name).unwrap());
        let lease = LeaseRecord::new(10_000).renewed();
        let lease = lease.grown(&keyspaces.clone().into()).unwrap();
        let json = r#"{"ttl_ms":10000,"n":1,"keyspaces":["a","b:c"]}"#;
        assert_eq!(lease.encode(), json);
        let id = LeaseId::new(0xfeed);
        assert_eq!(alive_key(id), "lease/000000000000feed");
        let entry = Entry {
            modified: Revision(7),
            record: lease,
        };
        let read = State::of(&record(&alive_key(id), json));
        assert_eq!(read, Some((id, State::Alive(entry))));
        let ended = encode_ended(&keyspaces.clone().into());
        let read = State::of(&record(&ended_key(id), &ended));
        assert_eq!(read, Some((id, State::Ended(keyspaces.into()))));
    }

    #[test]
    fn what_another_hand_has_written_is_no_lease() {
        let good = r#"{"ttl_ms":1,"n":1,"keyspaces":[]}"#;
        for (key, value) in [
            ("lease/feed", good),
            ("lease/000000000000FEED", good),
            ("lease/00000000000000000", good),
            ("leases/000000000000feed", good),
            ("ended/", good),
            ("lease/000000000000feed", "{}"),
            ("lease/000000000000feed", ""),
            (
                "lease/000000000000feed",
                r#"{"ttl_ms":1,"n":1,"keyspaces":["a/b"]}"#,
            ),
            ("ended/000000000000feed", "[]"),
        ] {
            assert_eq!(State::of(&record(key, value)), None, "{key} {value}");
        }
    }

    #[test]
    fn the_room_that_is_kept_is_enough() {
        let name = |n| {
            let name = format!("{n}{}", "k".repeat(Keyspace::MAX_LEN - 1));
            Keyspace::new(name).unwrap()
        };
        let mut lease = LeaseRecord::new(u64::MAX);
        lease.n = u64::MAX;
        let lease = lease.grown(&(0..KEYSPACES).map(name).collect()).unwrap();
        let key = KEYSPACE.len() + 1 + alive_key(LeaseId::new(u64::MAX)).len();
        assert!(2 * key + lease.encode().len() <= ROOM);
    }
}
