//! A watch, and the map that is folded from what it shows.
//!
//! Never takes a view for granted: each is compared with the truth.

use globe::{Cause, Change, Changes, Position, Watch};

use super::Numbers;
use crate::rig::shown;
use crate::rig::truth::{Content, Truth};

/// Whether a watch covers a key.
type Covers = fn(&str) -> bool;

pub(super) struct Follower {
    watch: Watch<String, u64>,
    covers: Covers,
    /// Shows each revision by itself, whatever happens: its buffer cannot overflow.
    is_lossless: bool,
    folded: Content,
    at: Position,
    /// Shown, but not yet compared: the truth lags behind the map while a step runs.
    unchecked: Vec<Changes<String, u64>>,
}

/// How a watch is opened.
type Open = fn(&Numbers) -> Watch<String, u64>;

/// A follower of each kind.
pub(super) fn all(map: &Numbers) -> Vec<Follower> {
    let watches: [(Open, Covers); 4] = [
        (|map| map.watch(), |_| true),
        (|map| map.watch_key("a"), |key| key == "a"),
        (|map| map.watch_prefix("a/"), |key| key.starts_with("a/")),
        (
            |map| map.watch_where(|key| key.len() == 1),
            |key| key.len() == 1,
        ),
    ];
    let mut followers = Vec::new();
    for (watch, covers) in watches {
        for buffer in [None, Some(1), Some(3), Some(100_000)] {
            let mut watch = match buffer {
                Some(buffer) => watch(map).every_revision(buffer),
                None => watch(map),
            };
            let start = watch.catch_up();
            followers.push(Follower {
                at: start.position(),
                folded: part(&shown::content(&start), covers),
                watch,
                covers,
                is_lossless: buffer == Some(100_000),
                unchecked: Vec::new(),
            });
        }
    }
    followers
}

fn part(content: &Content, covers: Covers) -> Content {
    let covered = content.iter().filter(|(key, _)| covers(key));
    covered.map(|(key, value)| (key.clone(), *value)).collect()
}

impl Follower {
    /// Takes one difference, if there is one.
    pub(super) fn poll(&mut self) {
        self.unchecked.extend(self.watch.try_next());
    }

    /// Takes all there is, and compares it.
    pub(super) fn drain(&mut self, truth: &Truth) {
        while let Some(changes) = self.watch.try_next() {
            self.unchecked.push(changes);
        }
        self.check(truth);
    }

    pub(super) fn stands_at(&self, content: &Content) {
        assert_eq!(self.folded, part(content, self.covers));
    }

    /// Folds what was shown since the last check, and compares each state on the way with the truth.
    pub(super) fn check(&mut self, truth: &Truth) {
        for changes in std::mem::take(&mut self.unchecked) {
            self.fold(&changes);
            self.stands_at(&truth.at(changes.to()));
            self.judge(&changes, truth);
            self.at = changes.to();
        }
    }

    fn fold(&mut self, changes: &Changes<String, u64>) {
        assert!(!changes.as_slice().is_empty());
        let covered = |change: &Change<String, u64>| (self.covers)(change.key());
        assert!(changes.iter().all(covered), "not covered: {changes:?}");
        shown::fold(&mut self.folded, changes);
    }

    /// Whether the cause that was told is the true one.
    fn judge(&self, changes: &Changes<String, u64>, truth: &Truth) {
        let (from, to) = (changes.from(), changes.to());
        if self.at.epoch == from.epoch {
            assert!(from.revision >= self.at.revision, "nothing is shown twice");
        }
        match changes.cause() {
            Cause::Step => {
                let commits = truth.commits_between(from, to, self.covers);
                let revisions = changes.iter().map(|change| change.position().revision);
                assert_eq!(commits.len(), 1, "one commit: {changes:?}");
                assert!(revisions.into_iter().all(|revision| revision == commits[0]));
            }
            Cause::Coalesced => assert!(!self.is_lossless, "it never overran: {changes:?}"),
            _ => {}
        }
    }
}
