//! Hearing what changes: exact differences between what a watch last showed and what stands now.
//!
//! A watch holds no queue that could overflow, and the replica never waits for one.

use std::fmt;
use std::sync::Arc;

use globe_log_client::{Error, Position};

use crate::entry::change::{Change, ResyncReason};
use crate::entry::key::Key;
use crate::ground::pace::{Pace, let_go};
use crate::read::difference::difference;
use crate::read::view::View;
use crate::replica::Replica;
use crate::replica::state::State;
use crate::replica::subscribers::{Base, Interest, Mark, Span, Subscription};

/// The most steps a watch may ask to be kept.
const MOST_STEPS: usize = 1 << 20;

/// Why a watch moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Exactly one commit of the log that changed what the watch covers. Commits that changed only other keys may lie
    /// between its two positions.
    Step,
    /// Several commits: the net difference. A key that was changed twice shows once.
    Coalesced,
    /// At least one snapshot was installed in between: the net difference to it.
    Resync(ResyncReason),
}

/// All changes between two views, as one step: a transaction is in it whole or not at all.
///
/// Shown by [`Watch::next`]. It keeps the view after it for as long as it is held.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::{Cause, Globe, MemoryLog};
///
/// let ports: Globe<String, u16> = Globe::open(MemoryLog::new(), "ports").await?;
/// let mut watch = ports.watch();
/// let written = ports.put_all([("web".into(), 80), ("ssh".into(), 22)]).await?;
///
/// let changes = watch.next().await.expect("the map is open");
/// assert_eq!(changes.cause(), Cause::Step); // both were one commit
/// assert_eq!(Some(changes.to()), written.position());
/// assert_eq!(changes.after().len(), 2);
/// for change in &changes {
///     match (change.old_value(), change.new_value()) {
///         (None, Some(new)) => println!("{} is new: {new}", change.key()),
///         (Some(_), Some(new)) => println!("{}: {new}", change.key()),
///         _ => println!("{} is gone", change.key()),
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Changes<K, V> {
    from: Position,
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

    /// Where in the log the map stood before them: nothing that the watch covers had changed since it showed its last.
    #[must_use]
    pub fn from(&self) -> Position {
        self.from
    }

    /// Where it stands with these changes.
    #[must_use]
    pub fn to(&self) -> Position {
        self.to.position
    }

    /// The whole map with these changes, not only what the watch covers. O(1).
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
            .field("from", &self.from)
            .field("to", &self.to.position)
            .field("cause", &self.cause)
            .field("changes", &self.changes)
            .finish()
    }
}

/// Follows a map, or a part of it. Made by [`Reader::watch`](crate::Reader::watch) and its kin.
///
/// It starts from what stood when it was made; everything after that is shown by [`Watch::next`], as the exact difference
/// to what this watch showed last. To begin with a list, take [`Watch::catch_up`] first. However slow it is, it holds back
/// nobody and misses no net change. Dropping it ends it. It does not keep the map alive: when the last `Globe` handle is
/// gone, it shows what came until then, and ends.
///
/// What it costs while nobody calls `next`: a watch of one key keeps that entry; every other one keeps, from the first
/// change on that it covers, the map as it was then, which shares with the present one all that has not changed since. (A
/// predicate is asked by the watch alone: for one of [`watch_where`](crate::Reader::watch_where) every change counts.)
pub struct Watch<K: Key, V> {
    pub(super) replica: Arc<Replica<K, V>>,
    subscription: Subscription<K, V>,
    /// What it is to start from, if that is not what stood when it was made.
    since: Option<Base<K, V>>,
    /// What is being shown: left here by a call that was dropped.
    span: Option<Span<K, V>>,
}

impl<K: Key, V: Send + Sync + 'static> Watch<K, V> {
    pub(crate) fn new(replica: Arc<Replica<K, V>>, interest: Interest<K, V>) -> Watch<K, V> {
        // Subscribed before looking: what is published in between is not missed.
        let subscription = replica.subscribers().subscribe(interest);
        subscription.catch_up(|| replica.state());
        Watch {
            replica,
            subscription,
            since: None,
            span: None,
        }
    }

    /// Starts from another view instead: what has changed since is the first thing shown, as one difference.
    ///
    /// The view may be of another handle on the same keyspace, or of one that is closed by now: the difference is then
    /// made key by key, once. If that handle had seen more of the log than this one, nothing is shown before this one has
    /// seen as much.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
    /// let view = map.view();
    /// // What is built from the view takes a while, and the map goes on.
    /// map.put("a", 1).await?;
    ///
    /// let mut watch = map.watch().since(&view);
    /// let missed = watch.next().await.expect("the map is open");
    /// assert_eq!(missed.from(), view.position());
    /// assert_eq!(missed.as_slice()[0].key(), "a");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn since(mut self, view: &View<K, V>) -> Watch<K, V> {
        self.since = Some(self.subscription.interest().base(&view.state));
        self.span = None;
        self
    }

    /// Wants every revision by itself, not only the net difference: up to `buffer` steps (1 to 1,048,576; what is outside
    /// counts as the nearest) are kept for a watch that falls behind, each with the map as it was. One that falls further
    /// behind loses none of what changed, but sees all that was kept as one [`Cause::Coalesced`] difference to what stands
    /// when it looks, and goes on by steps from there. A resync is one difference here as well: a snapshot shows no steps.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use globe::{Cause, Globe, MemoryLog};
    ///
    /// let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
    /// let mut net = map.watch();
    /// let mut each = map.watch().every_revision(100);
    /// map.put("a", 1).await?;
    /// map.put("a", 2).await?;
    ///
    /// let changes = net.next().await.expect("the map is open");
    /// assert_eq!(changes.cause(), Cause::Coalesced);
    /// for value in [1, 2] {
    ///     let changes = each.next().await.expect("the map is open");
    ///     assert_eq!(changes.as_slice()[0].new_value().map(|new| **new), Some(value));
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn every_revision(self, buffer: usize) -> Watch<K, V> {
        self.subscription.keep_each(buffer.clamp(1, MOST_STEPS));
        self
    }

    /// The whole map as it stands now. What leads to it counts as shown: the next changes are those after it. Called
    /// first, it is the list to begin with. O(1).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// # let shards: Globe<u32, String> = Globe::open(MemoryLog::new(), "shards").await?;
    /// let mut watch = shards.watch();
    /// for (shard, node) in &watch.catch_up() {
    ///     println!("{shard} is at {}", node.value());
    /// }
    /// // `watch.next()` shows what has changed since: nothing lies in between.
    /// # Ok(()) }
    /// ```
    pub fn catch_up(&mut self) -> View<K, V> {
        let state = self.subscription.catch_up(|| self.replica.state());
        (self.since, self.span) = (None, None);
        View { state }
    }

    /// Waits for the next changes of what this watch covers. `None` when the map has ended and everything was shown:
    /// [`Watch::ended`] says why. An outage is no end: it waits.
    ///
    /// Cancel safe: what was not returned is shown by the next call. Costs time that grows with what has changed, not with
    /// the size of the map, and lets other tasks have their turn meanwhile.
    pub async fn next(&mut self) -> Option<Changes<K, V>> {
        loop {
            // Asked before looking: what was published before the end is still shown.
            let ended = self.replica.has_ended();
            let publications = self.replica.publications();
            if self.look() {
                if let Some(changes) = self.show_in_turns().await {
                    return Some(changes);
                }
                continue;
            }
            if ended {
                return None;
            }
            if self.since.is_some() {
                let _ = self.replica.published_since(publications).await;
            } else {
                self.subscription.woken().await;
            }
        }
    }

    /// The next changes, if there are any now. Finds them in one go: after a large step that takes a while.
    pub fn try_next(&mut self) -> Option<Changes<K, V>> {
        while self.look() {
            let span = self.span.as_ref()?;
            let difference: Vec<_> = difference(span, self.subscription.interest()).collect();
            // Only now: where a key or predicate panics, the next call finds them.
            let span = self.span.take()?;
            let looked_at = difference.len();
            let changes = difference.into_iter().flatten().collect();
            if let Some(changes) = Changes::of(span, changes, looked_at) {
                return Some(changes);
            }
        }
        None
    }

    /// Why the map has ended and no more will come: `Closed`, or what it could not go on with. `None` while it follows.
    #[must_use]
    pub fn ended(&self) -> Option<Error> {
        self.replica.ended()
    }

    /// Finds out what is to be shown next; whether there is anything.
    fn look(&mut self) -> bool {
        if self.span.is_none() {
            self.span = match self.since.take() {
                Some(from) => self.span_since(from),
                None => self.subscription.take(|| self.replica.state()),
            };
        }
        self.span.is_some()
    }

    /// From a view that may be another replica's: not before this one has seen as much.
    fn span_since(&mut self, from: Base<K, V>) -> Option<Span<K, V>> {
        let (there, here) = (from.mark(), self.replica.state().position);
        let is_early = !Arc::ptr_eq(&there.origin, self.replica.origin())
            && there.position.epoch == here.epoch
            && !here.covers(there.position);
        if is_early {
            self.since = Some(from);
            return None;
        }
        let to = self.subscription.catch_up(|| self.replica.state());
        let is_step = false;
        Some(Span { from, to, is_step })
    }

    /// The changes of the span at hand. It stays there until they are found, for a call that is dropped.
    async fn show_in_turns(&mut self) -> Option<Changes<K, V>> {
        let span = self.span.as_ref()?;
        let (mut changes, mut looked_at) = (Vec::new(), 0);
        let mut pace = Pace::new();
        for change in difference(span, self.subscription.interest()) {
            changes.extend(change);
            looked_at += 1;
            pace.step().await;
        }
        let span = self.span.take()?;
        Changes::of(span, changes, looked_at)
    }
}

impl<K: Key, V: Send + Sync + 'static> Changes<K, V> {
    /// The changes of a span, of which so many keys were looked at: so many are freed with what was shown before.
    fn of(span: Span<K, V>, changes: Vec<Change<K, V>>, looked_at: usize) -> Option<Changes<K, V>> {
        let Span { from, to, is_step } = span;
        let mark = from.mark();
        let_go(looked_at, from);
        if changes.is_empty() {
            return None;
        }
        Some(Changes {
            cause: cause(&mark, &to, is_step),
            from: mark.position,
            to,
            changes,
        })
    }
}

fn cause<K, V>(from: &Mark, to: &State<K, V>, is_step: bool) -> Cause {
    if !Arc::ptr_eq(&from.origin, &to.origin) {
        // Counters of another replica say nothing here.
        return if from.position.epoch == to.position.epoch {
            Cause::Coalesced
        } else {
            Cause::Resync(ResyncReason::EpochChanged)
        };
    }
    if to.resyncs != from.resyncs {
        return Cause::Resync(to.resync_reason);
    }
    let is_next = to.sequence == from.sequence + 1;
    if is_step || is_next {
        Cause::Step
    } else {
        Cause::Coalesced
    }
}

impl<K: Key, V> fmt::Debug for Watch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("keyspace", self.replica.keyspace())
            .finish_non_exhaustive()
    }
}
