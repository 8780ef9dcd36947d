//! What was committed since the last compaction, and what stood at it.
//!
//! Never forgets but what it is told to, or what is more than it was made to keep; and then exactly as much.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{Batch, Change, Keyspace, Record, Revision};
use imbl::OrdMap;

/// How many commits one look at the history goes through: the log is locked meanwhile.
const LOOK: usize = 1024;

/// What one commit changed, by keyspace.
pub(crate) type Commit = BTreeMap<Keyspace, Vec<Change>>;

/// Live records, by keyspace.
pub(crate) type Records = HashMap<Keyspace, OrdMap<Bytes, Record>>;

/// What a look back found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Back {
    Found(Option<Record>),
    /// Nothing so far: look on from here.
    Further(Revision),
}

/// The history of a log. Cloning it copies the list of commits, but no record.
#[derive(Clone)]
pub(crate) struct History {
    /// The newest forgotten commit.
    pub(crate) compacted: Revision,
    /// What stood there.
    base: Records,
    /// The commits after it, one a revision.
    commits: VecDeque<Arc<Commit>>,
    /// How many of them are kept.
    most: usize,
}

impl History {
    /// One of a commit that did nothing, which keeps so many commits.
    pub(crate) fn new(most: usize) -> History {
        History {
            compacted: Revision::ZERO,
            base: Records::new(),
            commits: VecDeque::from([Arc::default()]),
            most,
        }
    }

    pub(crate) fn push(&mut self, commit: Commit) {
        self.commits.push_back(Arc::new(commit));
        if self.commits.len() > self.most {
            // One commit, and what it holds is the log's own: nobody else's code runs when it is dropped.
            self.forget(self.compacted.next());
        }
    }

    /// Keeps so many commits from now on, and forgets at once what is more.
    pub(crate) fn keep(&mut self, most: usize) {
        self.most = most;
        let surplus = self.commits.len().saturating_sub(most) as u64;
        self.forget(Revision(self.compacted.0 + surplus));
    }

    /// Forgets the commits up to and including `revision`, and returns them.
    pub(crate) fn forget(&mut self, revision: Revision) -> VecDeque<Arc<Commit>> {
        let mut forgotten = VecDeque::new();
        while self.compacted < revision
            && let Some(commit) = self.commits.pop_front()
        {
            self.compacted = self.compacted.next();
            self.settle(&commit);
            forgotten.push_back(commit);
        }
        forgotten
    }

    fn settle(&mut self, commit: &Commit) {
        for (keyspace, changes) in commit {
            let records = self.base.entry(keyspace.clone()).or_default();
            for change in changes {
                match change {
                    Change::Put(record) => records.insert(record.key.clone(), record.clone()),
                    deleted => records.remove(deleted.key()),
                };
            }
        }
    }

    /// The next batch of a keyspace after a revision that is not forgotten: progress if there was none, nothing if the
    /// revision is the newest.
    pub(crate) fn after(&self, revision: Revision, keyspace: &Keyspace) -> Option<Batch> {
        let seen = self.kept_up_to(revision);
        let mut at = revision;
        for commit in self.commits.iter().skip(seen).take(LOOK) {
            at = at.next();
            if let Some(changes) = commit.get(keyspace) {
                return Some(Batch::new(at, changes.clone()));
            }
        }
        (at > revision).then(|| Batch::progress(at))
    }

    /// What stood at a key at a revision that is not forgotten.
    pub(crate) fn at(&self, keyspace: &Keyspace, key: &[u8], revision: Revision) -> Back {
        let kept = self.kept_up_to(revision);
        for commit in self.commits.iter().take(kept).rev().take(LOOK) {
            let mut changes = commit.get(keyspace).into_iter().flatten();
            if let Some(change) = changes.find(|change| change.key() == key) {
                return Back::Found(match change {
                    Change::Put(record) => Some(record.clone()),
                    _ => None,
                });
            }
        }
        if kept > LOOK {
            return Back::Further(Revision(revision.0 - LOOK as u64));
        }
        let records = self.base.get(keyspace);
        Back::Found(records.and_then(|records| records.get(key)).cloned())
    }

    /// How many of the commits kept are not newer than a revision.
    fn kept_up_to(&self, revision: Revision) -> usize {
        let kept = revision.0.saturating_sub(self.compacted.0);
        usize::try_from(kept).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyspace() -> Keyspace {
        Keyspace::new("flags").unwrap()
    }

    fn put(key: &'static str, revision: u64) -> Commit {
        let record = Record::new(key, "", Revision(revision), Revision(revision));
        Commit::from([(keyspace(), vec![Change::Put(record)])])
    }

    /// The revision at which the key was written that stood at `revision`, and in how many looks it was found.
    fn written_at(history: &History, mut revision: Revision) -> (Option<u64>, usize) {
        for looks in 1.. {
            match history.at(&keyspace(), b"key", revision) {
                Back::Found(record) => return (record.map(|record| record.modified.0), looks),
                Back::Further(earlier) => revision = earlier,
            }
        }
        unreachable!()
    }

    #[test]
    fn a_long_history_is_looked_through_in_short_looks() {
        let mut history = History::new(usize::MAX);
        history.push(put("key", 2));
        for revision in 3..=3 * LOOK as u64 {
            history.push(put("other", revision));
        }
        let head = Revision(3 * LOOK as u64);
        assert_eq!(written_at(&history, Revision(1)), (None, 1));
        assert_eq!(written_at(&history, Revision(2)), (Some(2), 1));
        assert_eq!(written_at(&history, head), (Some(2), 3));
        // Forgotten between two looks: what stood at the compaction is what is looked for.
        let Back::Further(earlier) = history.at(&keyspace(), b"key", head) else {
            panic!("one look was enough");
        };
        history.forget(head);
        assert_eq!(written_at(&history, earlier), (Some(2), 1));
        assert_eq!(written_at(&history, head), (Some(2), 1));
    }
}
