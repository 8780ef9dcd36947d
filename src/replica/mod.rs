//! The local copy: what readers read, and the one applier that writes it.
//!
//! Nothing here waits for a reader or a watcher, and nothing but the applier changes what is published.

pub(crate) mod bells;
pub(crate) mod deletes;
pub(crate) mod delta;
pub(crate) mod entries;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod lanes;
pub(crate) mod moments;
pub(crate) mod progress;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod subscribers;
pub(crate) mod withheld;

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Keyspace, Position, Result};
use tokio::time::Instant;

use crate::entry::key::Key;
use crate::ground::pace::{Pace, let_go};
use crate::ground::sync::ArcSwap;
use crate::replica::bells::Bells;
use crate::replica::deletes::Deletes;
use crate::replica::delta::Delta;
use crate::replica::guard::Guard;
use crate::replica::health::Health;
use crate::replica::index::{Index, Lookup};
use crate::replica::lanes::Lanes;
use crate::replica::moments::Moments;
use crate::replica::progress::{Progress, Reach};
use crate::replica::state::State;
use crate::replica::status::{Phase, Status};
use crate::replica::subscribers::Subscribers;
use crate::replica::withheld::Withholding;

/// The local copy of one keyspace.
pub(crate) struct Replica<K, V> {
    keyspace: Keyspace,
    view: ArcSwap<State<K, V>>,
    index: Index<K, V>,
    progress: Progress,
    subscribers: Subscribers<K, V>,
    bells: Bells,
    moments: Moments<K, V>,
    health: Health,
    guard: Guard,
    deletes: Arc<Deletes>,
    lanes: Arc<Lanes>,
    withholding: Withholding,
    origin: Arc<()>,
}

impl<K: Key, V> Replica<K, V> {
    pub(crate) fn new(keyspace: Keyspace) -> Replica<K, V> {
        let origin = Arc::new(());
        Replica {
            view: ArcSwap::from_pointee(State::empty(Arc::clone(&origin))),
            index: Index::new(),
            progress: Progress::new(),
            subscribers: Subscribers::new(),
            bells: Bells::new(),
            moments: Moments::new(),
            health: Health::new(keyspace.clone()),
            guard: Guard::follow(),
            deletes: Arc::default(),
            lanes: Arc::default(),
            withholding: Withholding::new(),
            keyspace,
            origin,
        }
    }

    /// As it is, with this guard.
    pub(crate) fn guarded(mut self, guard: Guard) -> Replica<K, V> {
        self.guard = guard;
        self
    }

    pub(crate) fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// What tells this replica from every other one.
    pub(crate) fn origin(&self) -> &Arc<()> {
        &self.origin
    }

    /// An answer of the log showed that something was never delivered here: nothing is proved until a snapshot that is
    /// begun after this settles it.
    pub(crate) fn doubt(&self) {
        self.progress.doubt();
    }

    /// How many doubts there were so far: asked before a snapshot is begun.
    pub(crate) fn doubts(&self) -> u64 {
        self.progress.doubts()
    }

    /// A snapshot that was begun after so many doubts is shown now.
    pub(crate) fn settle(&self, doubts: u64) {
        self.progress.settle(doubts);
    }

    /// Whether something is known to be missing.
    pub(crate) fn is_doubted(&self) -> bool {
        self.progress.is_doubted()
    }

    /// Waits until something is known to be missing.
    pub(crate) async fn doubted(&self) -> Result<()> {
        self.progress.doubted().await
    }

    /// Waits until nothing is known to be missing.
    pub(crate) async fn undoubted(&self) -> Result<()> {
        self.progress.undoubted().await
    }

    /// What is shown now covers a linearizable answer to a question asked at `asked`: a proof of freshness, unless something
    /// is known to be missing.
    pub(crate) fn prove(&self, asked: Instant) {
        if !self.progress.is_doubted() {
            self.health.prove(asked);
            self.bells.proved();
        }
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// What is not shown at once.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The keys that are deleted through this map.
    pub(crate) fn deletes(&self) -> &Arc<Deletes> {
        &self.deletes
    }

    /// Where writes through this map wait for each other.
    pub(crate) fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    /// What the guard withholds.
    pub(crate) fn withholding(&self) -> &Withholding {
        &self.withholding
    }

    /// Up to where the log was followed, shown or not.
    pub(crate) fn followed(&self) -> Position {
        let withheld = self.withholding.position();
        withheld.unwrap_or_else(|| self.state().position)
    }

    /// How it is doing, when what was proved longer ago than `stale_after` is called stale.
    pub(crate) fn status(&self, stale_after: Duration) -> Status {
        // In this order: how it went, then what is shown, and last whether it has ended.
        let (course, now) = (self.health.course(), Instant::now());
        let position = self.position();
        let state = self.state();
        let end = self.ended();
        let end = end.as_ref().map(Error::kind);
        let proved_for = course.proved_for(now);
        Status {
            phase: Phase::of(end, position.is_some(), proved_for, stale_after),
            position,
            staleness: course.staleness(now),
            from_copy: course.from_copy,
            withheld: self.withholding.told(),
            entries: state.entries.len(),
            quarantined: state.quarantine.len(),
            resyncs: state.resyncs.saturating_sub(1),
            last_resync: (state.resyncs > 1).then_some(state.resync_reason),
            reopens: course.reopens,
            violations: course.violations,
            failures: course.failures,
            failing_for: course.failing_for(now),
            last_error: course.last_error().cloned(),
        }
    }

    pub(crate) fn subscribers(&self) -> &Subscribers<K, V> {
        &self.subscribers
    }

    /// What is rung for those who wait for something else than a change of an entry.
    pub(crate) fn bells(&self) -> &Bells {
        &self.bells
    }

    /// Those who want what is shown at one position of the log.
    pub(crate) fn moments(&self) -> &Moments<K, V> {
        &self.moments
    }

    pub(crate) fn state(&self) -> Arc<State<K, V>> {
        self.view.load_full()
    }

    /// Looks at what is published without keeping it: then threads that look at the same time do not count in one place.
    pub(crate) fn look<R>(&self, at: impl FnOnce(&State<K, V>) -> R) -> R {
        at(&self.view.load())
    }

    /// As [`Replica::state`]; `None` before the first snapshot, when nothing is known yet.
    pub(crate) fn hydrated_state(&self) -> Option<Arc<State<K, V>>> {
        // Asked before looking: what is published by then is what is looked at, or older.
        self.position()?;
        Some(self.state())
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Ord + Hash + ?Sized,
    {
        match self.index.find(key) {
            Lookup::Level(value) => value,
            Lookup::Behind => self.look(|state| self.find_behind(key, state)),
        }
    }

    /// What stands in a state, or in a newer one that is published by now, while the index is being brought up to it.
    fn find_behind<Q>(&self, key: &Q, state: &State<K, V>) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Ord + Hash + ?Sized,
    {
        let delta = state.delta.as_ref();
        let found = delta.and_then(|delta| self.index.find_behind(key, delta));
        found.unwrap_or_else(|| {
            let entry = state.entries.get(key);
            entry.map(|entry| Arc::clone(entry.value()))
        })
    }

    /// The step that a look-up shows; `None` while one is being made.
    #[inline]
    pub(crate) fn step(&self) -> Option<u64> {
        self.index.step()
    }

    /// Where it stands; `None` before the first snapshot.
    pub(crate) fn position(&self) -> Option<Position> {
        self.progress.position()
    }

    /// How often something was published.
    pub(crate) fn publications(&self) -> u64 {
        self.progress.publications()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.progress.has_ended()
    }

    pub(crate) fn ended(&self) -> Option<Error> {
        self.progress.ended()
    }

    /// Waits until the first snapshot is there.
    pub(crate) async fn hydrated(&self) -> Result<()> {
        self.progress.hydrated().await
    }

    /// Waits until everything up to `target` has been applied.
    ///
    /// A target of an epoch that is not known here yet is waited for; one whose epoch is over is `EpochChanged`.
    pub(crate) async fn reached(&self, target: Position) -> Result<()> {
        match self.progress.reached(target).await? {
            Reach::Over => {
                let why = format!(
                    "the log was restored or replaced before position {target} was seen here"
                );
                Err(Error::new(ErrorKind::EpochChanged, why))
            }
            Reach::Reached | Reach::NotYet => Ok(()),
        }
    }

    /// Waits until something was published after so many publications, be it the same once more.
    pub(crate) async fn published_since(&self, count: u64) -> Result<()> {
        self.progress.published_since(count).await
    }

    /// Publishes the next state, in turns if it changes much. Only the applier calls it, so there is one writer.
    ///
    /// The order is the promise: readers are sent to the view before it moves, and called back to the index after that
    /// has caught up; so a `get` shows no less than any view taken before it, and no more than any taken after it.
    pub(crate) async fn publish(&self, mut state: State<K, V>, delta: Delta<K, V>)
    where
        V: Send + Sync + 'static,
    {
        let position = state.position;
        state.delta = delta.little();
        let state = Arc::new(state);
        if delta.is_empty() {
            let older = self.view.swap(Arc::clone(&state));
            self.passed(&older, &state);
        } else {
            let count = delta.len();
            self.index.mark_behind();
            self.index.make_room(count);
            let older = self.view.swap(Arc::clone(&state));
            // Asked after that: whoever comes later begins with this state.
            let keys = match self.subscribers.is_empty() {
                true => Vec::new(),
                false => keys(&delta).await,
            };
            self.bring_up(delta).await;
            self.index.mark_level();
            self.subscribers.published(&older, &state, &keys).await;
            self.passed(&older, &state);
            // Only now: freeing what only it held takes longer than all the rest.
            let_go(count, (older, keys));
        }
        self.progress.move_to(position);
    }

    /// One state was followed by another, be it one with the same entries.
    fn passed(&self, older: &Arc<State<K, V>>, newer: &Arc<State<K, V>>) {
        self.moments.published(older, newer);
        self.bells.published(older, newer);
    }

    /// Brings the index up to the view.
    async fn bring_up(&self, delta: Delta<K, V>) {
        let mut pace = Pace::new();
        for (key, value) in delta {
            match value {
                Some(value) => self.index.put(key, value),
                None => self.index.remove(&key),
            }
            pace.step().await;
        }
    }

    /// Says that nothing more will come, because the map was closed.
    pub(crate) fn close(&self) {
        let why = format!("the map {} was closed", self.keyspace);
        self.end(Error::new(ErrorKind::Closed, why));
    }

    /// Says that nothing more will come, because the map is given up.
    pub(crate) fn fail(&self, why: Error) {
        self.health.gave_up(&why);
        self.end(why);
    }

    /// Says that nothing more will come. Only the first reason counts.
    pub(crate) fn end(&self, why: Error) {
        self.progress.end(why);
        self.subscribers.ended();
        self.moments.ended();
        self.bells.ended();
    }
}

async fn keys<K: Key, V>(delta: &Delta<K, V>) -> Vec<Arc<K>> {
    let mut keys = Vec::with_capacity(delta.len());
    let mut pace = Pace::new();
    for (key, _) in delta.iter() {
        keys.push(Arc::clone(key));
        pace.step().await;
    }
    keys
}
