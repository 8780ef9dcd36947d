//! Hearing what changes: exact differences between what a watch last showed and what stands now.
//!
//! A watch holds no queue, so it cannot overflow, and the replica never waits for one.

use std::fmt;
use std::sync::Arc;

use globe_log_client::Position;
use tokio::sync::mpsc;

use crate::change::{Change, ResyncReason};
use crate::key::Key;
use crate::replica::Replica;
use crate::subscribers::{Interest, Step, Subscription};
use crate::view::{State, View, difference};

/// Why a watch moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Exactly one commit of the log that changed what the watch covers. Commits that changed only other keys may lie
    /// between its two revisions.
    Step,
    /// Several commits: the net difference. A key that was changed twice shows once.
    Coalesced,
    /// At least one snapshot was installed in between: the net difference to it.
    Resync(ResyncReason),
}

/// All changes between two views, as one step: a transaction is in it whole or not at all.
pub struct Changes<K, V> {
    from: Arc<State<K, V>>,
    to: Arc<State<K, V>>,
    cause: Cause,
    changes: Vec<Change<K, V>>,
}

impl<K: Key, V> Changes<K, V> {
    /// The changes, in the order of their keys; never empty.
    #[must_use]
    pub fn as_slice(&self) -> &[Change<K, V>] {
        &self.changes
    }

    /// Goes through the changes, in the order of their keys.
    pub fn iter(&self) -> std::slice::Iter<'_, Change<K, V>> {
        self.changes.iter()
    }

    /// Where in the log the watch stood before.
    #[must_use]
    pub fn from(&self) -> Position {
        self.from.position
    }

    /// Where it stands with these changes.
    #[must_use]
    pub fn to(&self) -> Position {
        self.to.position
    }

    /// The whole map before these changes.
    #[must_use]
    pub fn before(&self) -> View<K, V> {
        View {
            state: Arc::clone(&self.from),
        }
    }

    /// The whole map with these changes.
    #[must_use]
    pub fn after(&self) -> View<K, V> {
        View {
            state: Arc::clone(&self.to),
        }
    }

    /// Why the watch moved.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }
}

impl<K, V> IntoIterator for Changes<K, V> {
    type Item = Change<K, V>;
    type IntoIter = std::vec::IntoIter<Change<K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.changes.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a Changes<K, V> {
    type Item = &'a Change<K, V>;
    type IntoIter = std::slice::Iter<'a, Change<K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.changes.iter()
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Changes<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("from", &self.from.position)
            .field("to", &self.to.position)
            .field("cause", &self.cause)
            .field("changes", &self.changes)
            .finish()
    }
}

/// Follows a map, or a part of it. Made by [`Globe::watch`](crate::Globe::watch) and its kin.
///
/// It starts from the view that stood when it was made ([`Watch::view`]); everything after that is shown by
/// [`Watch::next`], as the exact difference to what this watch showed last. However slow it is, it holds back nobody,
/// misses no net change, and costs no more memory than what has changed since. Dropping it ends it. It does not keep the
/// map alive: when the last `Globe` handle is gone, it shows what came until then, and ends.
pub struct Watch<K: Key, V> {
    replica: Arc<Replica<K, V>>,
    subscription: Subscription<K, V>,
    shown: Arc<State<K, V>>,
    steps: Option<Steps<K, V>>,
}

/// The queue of a watch that wants every revision.
struct Steps<K, V> {
    queue: mpsc::Receiver<Step<K, V>>,
    /// The number of the last step taken from the queue, or passed over.
    taken: u64,
    /// What stood when the queue began, as long as it has not been shown.
    start: Option<Arc<State<K, V>>>,
}

impl<K: Key, V: Send + Sync + 'static> Watch<K, V> {
    pub(crate) fn new(replica: Arc<Replica<K, V>>, interest: Interest<K>) -> Watch<K, V> {
        // Subscribed before looking: what is published in between wakes the watch.
        let subscription = replica.subscribers().subscribe(interest);
        let shown = replica.state();
        Watch {
            replica,
            subscription,
            shown,
            steps: None,
        }
    }

    /// Starts from an older view instead: what has changed since is the first thing shown.
    #[must_use]
    pub fn since(mut self, view: &View<K, V>) -> Watch<K, V> {
        self.shown = Arc::clone(&view.state);
        if let Some(steps) = &mut self.steps {
            steps.start = Some(self.replica.state());
        }
        self
    }

    /// Wants every revision by itself, not only the net difference: up to `buffer` steps are kept for a watch that falls
    /// behind (at least 1). One that falls further behind loses none of what changed, but sees it as one
    /// [`Cause::Coalesced`] difference, and goes on by steps from there.
    #[must_use]
    pub fn every_revision(mut self, buffer: usize) -> Watch<K, V> {
        let (queue, taken) = self.subscription.keep_steps(buffer.max(1));
        self.steps = Some(Steps {
            queue,
            taken,
            start: Some(self.replica.state()),
        });
        self
    }

    /// The view this watch has shown: what stood when it was made, or what the last [`Watch::next`] led to.
    #[must_use]
    pub fn view(&self) -> View<K, V> {
        View {
            state: Arc::clone(&self.shown),
        }
    }

    /// Waits for the next changes of what this watch covers. `None` when the map was closed and everything was shown.
    ///
    /// Cancel safe: what was not returned is part of the next call's changes.
    pub async fn next(&mut self) -> Option<Changes<K, V>> {
        loop {
            // Asked before looking: what was published before the end is still shown.
            let ended = self.replica.has_ended();
            if let Some(changes) = self.step() {
                return Some(changes);
            }
            if ended {
                return None;
            }
            self.subscription.woken().await;
        }
    }

    /// The next changes, if there are any now.
    pub fn try_next(&mut self) -> Option<Changes<K, V>> {
        self.step()
    }

    fn step(&mut self) -> Option<Changes<K, V>> {
        if self.steps.is_none() {
            let now = self.replica.state();
            return self.move_to(now, false);
        }
        while let Some((state, exact)) = self.next_step() {
            if let Some(changes) = self.move_to(state, exact) {
                return Some(changes);
            }
        }
        None
    }

    /// The next state of a watch that wants every revision, and whether it is exactly one step away.
    fn next_step(&mut self) -> Option<(Arc<State<K, V>>, bool)> {
        let steps = self.steps.as_mut()?;
        if let Some(start) = steps.start.take() {
            return Some((start, false));
        }
        while let Ok(step) = steps.queue.try_recv() {
            let is_next = step.number == steps.taken + 1;
            steps.taken = step.number;
            if step.state.sequence > self.shown.sequence {
                return Some((step.state, is_next));
            }
        }
        let lost = self.subscription.lost();
        if lost > steps.taken {
            steps.taken = lost;
            return Some((self.replica.state(), false));
        }
        None
    }

    /// Shows `now`: the changes this watch covers, if there are any.
    fn move_to(&mut self, now: Arc<State<K, V>>, is_one_step: bool) -> Option<Changes<K, V>> {
        if now.sequence <= self.shown.sequence {
            return None;
        }
        let changes = difference(&self.shown, &now, |key| self.subscription.covers(key));
        let from = std::mem::replace(&mut self.shown, Arc::clone(&now));
        if changes.is_empty() {
            return None;
        }
        let cause = if now.resyncs != from.resyncs {
            Cause::Resync(now.resync_reason)
        } else if mutant!("call_everything_a_step")
            || is_one_step
            || now.sequence == from.sequence + 1
        {
            Cause::Step
        } else {
            Cause::Coalesced
        };
        Some(Changes {
            from,
            to: now,
            cause,
            changes,
        })
    }
}

impl<K: Key, V> fmt::Debug for Watch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("position", &self.shown.position)
            .finish_non_exhaustive()
    }
}
