//! From watch responses to whole commits.
//!
//! Never lets go of a part of a commit: etcd may split one over several responses.

use std::collections::VecDeque;

use etcd_client::proto::PbEvent;
use globe_log_client::{Batch, Change, Keyspace, Revision};

use crate::life::Seen;
use crate::records::keys::Keys;
use crate::records::witness::{LastChange, Witness};
use crate::records::{record, revision};

const DELETE: i32 = 1;

/// The events of a commit that is not complete yet.
///
/// Watches ask for fragments since an answer of more than 4 MB would otherwise end the stream, and each stream after it
/// in the same way. The server then splits at about 2 MB, also in the middle of a revision: a commit of 120 keys was
/// seen to come as 84 and 36.
#[derive(Default)]
pub(crate) struct Fragments {
    held: Vec<PbEvent>,
}

/// One commit, and what is to be remembered of it.
#[derive(Debug)]
pub(crate) struct WholeCommit {
    pub(crate) batch: Batch,
    /// One of its puts.
    pub(crate) witness: Option<Witness>,
}

impl Fragments {
    /// Takes the events of one response, ordered as they came. Returns those of whole commits: while more follow, all but
    /// the last commit.
    pub(crate) fn join(&mut self, mut events: Vec<PbEvent>, more_follow: bool) -> Vec<PbEvent> {
        if self.is_open() {
            self.held.append(&mut events);
            events = std::mem::take(&mut self.held);
        }
        if more_follow {
            let last = events.last().map(revision_of);
            let is_before = |event: &PbEvent| Some(revision_of(event)) != last;
            let whole = events.iter().rposition(is_before).map_or(0, |at| at + 1);
            self.held = events.split_off(whole);
        }
        events
    }

    /// A part of a commit is held back.
    pub(crate) fn is_open(&self) -> bool {
        !self.held.is_empty()
    }
}

fn revision_of(event: &PbEvent) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

/// Groups complete events by commit. Events without a record, which no server should send, are left out.
pub(crate) fn group(
    keys: &Keys,
    keyspace: &Keyspace,
    events: Vec<PbEvent>,
) -> VecDeque<WholeCommit> {
    let mut wholes: VecDeque<WholeCommit> = VecDeque::new();
    for event in events {
        let Some(found) = event.kv else { continue };
        let at = revision(found.mod_revision);
        if wholes.back().is_none_or(|whole| whole.batch.revision != at) {
            wholes.push_back(WholeCommit::empty(at));
        }
        let Some(whole) = wholes.back_mut() else {
            continue;
        };
        let change = if event.r#type == DELETE {
            let key = keys.strip(keyspace, found.key);
            Change::delete(key)
        } else {
            whole.witness = Some(Witness::of(&found));
            Change::Put(record(keys, keyspace, found))
        };
        whole.batch.changes.push(change);
    }
    wholes
}

impl WholeCommit {
    /// What is seen of the keyspace after this commit.
    pub(crate) fn add_to(&self, keys: &Keys, keyspace: &Keyspace, seen: &mut Seen) {
        seen.at = self.batch.revision.0;
        if self.batch.is_progress() {
            return;
        }
        seen.changed = seen.at;
        seen.last = match (&self.witness, self.batch.changes.last()) {
            (Some(put), _) => Some(LastChange::Put(put.clone())),
            (None, Some(deleted)) => Some(LastChange::Delete {
                key: keys.record(keyspace, deleted.key()),
                revision: seen.at,
            }),
            (None, None) => None,
        };
    }

    /// Progress up to a revision.
    pub(crate) fn empty(revision: Revision) -> WholeCommit {
        WholeCommit {
            batch: Batch::progress(revision),
            witness: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use etcd_client::proto::PbKeyValue;

    use super::*;

    fn event(kind: i32, key: &str, revision: i64, version: i64) -> PbEvent {
        let kv = PbKeyValue {
            key: format!("app/flags/{key}").into(),
            value: b"v".to_vec(),
            mod_revision: revision,
            create_revision: revision,
            version,
            lease: 0,
        };
        PbEvent {
            r#type: kind,
            kv: Some(kv),
            prev_kv: None,
        }
    }

    fn grouped(events: Vec<PbEvent>) -> Vec<(u64, Vec<String>)> {
        let keyspace = Keyspace::new("flags").unwrap();
        group(&Keys::new("app/"), &keyspace, events)
            .into_iter()
            .map(|whole| {
                let keys = whole.batch.changes.iter();
                let keys = keys.map(|c| String::from_utf8_lossy(c.key()).into_owned());
                (whole.batch.revision.0, keys.collect())
            })
            .collect()
    }

    #[test]
    fn a_commit_split_over_responses_comes_out_whole() {
        let mut fragments = Fragments::default();
        let first = vec![event(0, "a", 5, 1), event(0, "b", 6, 1)];
        let whole = fragments.join(first, true);
        assert_eq!(grouped(whole), [(5, vec!["a".to_owned()])]);
        assert!(fragments.join(vec![event(0, "c", 6, 2)], true).is_empty());
        assert!(fragments.is_open());
        let joined = fragments.join(vec![event(0, "d", 6, 1), event(0, "e", 7, 1)], false);
        let expected = [
            (6, ["b", "c", "d"].map(str::to_owned).to_vec()),
            (7, vec!["e".to_owned()]),
        ];
        assert_eq!(grouped(joined), expected);
        assert!(!fragments.is_open());
    }

    #[test]
    fn a_whole_response_is_held_back_by_nothing() {
        let joined = Fragments::default().join(vec![event(1, "a", 7, 0)], false);
        assert_eq!(grouped(joined), [(7, vec!["a".to_owned()])]);
    }
}
