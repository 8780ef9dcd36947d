//! The local copy: what readers read, and the one applier that writes it.
//!
//! Nothing here waits for a reader or a watcher, and nothing but the applier changes what is published.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use globe_log_client::{Error, ErrorKind, Keyspace, Position, Result};

use crate::index::{Index, Lookup};
use crate::key::Key;
use crate::progress::Progress;
use crate::status::Health;
use crate::subscribers::Subscribers;
use crate::sync::{ArcSwap, Notify};
use crate::view::{State, View};

/// The local copy of one keyspace.
pub(crate) struct Replica<K, V> {
    keyspace: Keyspace,
    view: ArcSwap<State<K, V>>,
    index: Index<K, V>,
    progress: Progress,
    subscribers: Subscribers<K, V>,
    health: Health,
    doubt: Notify,
}

/// What a publication changed: the keys, and what stands there now.
pub(crate) type Changed<K, V> = Vec<(K, Option<Arc<V>>)>;

impl<K: Key, V> Replica<K, V> {
    pub(crate) fn new(keyspace: Keyspace) -> Replica<K, V> {
        Replica {
            keyspace,
            view: ArcSwap::from_pointee(State::empty()),
            index: Index::new(),
            progress: Progress::new(),
            subscribers: Subscribers::new(),
            health: Health::default(),
            doubt: Notify::new(),
        }
    }

    pub(crate) fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn subscribers(&self) -> &Subscribers<K, V> {
        &self.subscribers
    }

    pub(crate) fn state(&self) -> Arc<State<K, V>> {
        self.view.load_full()
    }

    pub(crate) fn view(&self) -> View<K, V> {
        View {
            state: self.state(),
        }
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Ord + Hash + ?Sized,
    {
        match self.index.find(key) {
            Lookup::Level(value) => value,
            Lookup::Behind => self
                .view
                .load()
                .entries
                .get(key)
                .map(|entry| Arc::clone(entry.value())),
        }
    }

    /// Where it stands; `None` before the first snapshot.
    pub(crate) fn position(&self) -> Option<Position> {
        self.progress.position()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.progress.has_ended()
    }

    pub(crate) fn ended(&self) -> Option<Error> {
        self.progress.ended()
    }

    /// Waits until the first snapshot is there.
    pub(crate) async fn hydrated(&self) -> Result<()> {
        self.progress
            .wait_until(|position| position.is_some())
            .await
    }

    /// Waits until everything up to `target` has been applied.
    ///
    /// A target of an epoch that is not known here yet is waited for; one whose epoch ends meanwhile is `EpochChanged`.
    pub(crate) async fn reached(&self, target: Position) -> Result<()> {
        let before = self.position().map(|position| position.epoch);
        let has_passed =
            |here: Position| before == Some(target.epoch) && here.epoch != target.epoch;
        self.progress
            .wait_until(|here| here.is_some_and(|here| here.covers(target) || has_passed(here)))
            .await?;
        if self.position().is_some_and(has_passed) {
            let why =
                format!("the log was restored or replaced before position {target} was seen here");
            return Err(Error::new(ErrorKind::EpochChanged, why));
        }
        Ok(())
    }

    /// Waits until it stands elsewhere than at `position`.
    pub(crate) async fn moved_from(&self, position: Option<Position>) -> Result<()> {
        self.progress.wait_until(|here| here != position).await
    }

    /// Says that an answer of the log showed something missing here. It is the tailer's to mend.
    pub(crate) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Waits until somebody doubts. One doubt that nobody waited for is kept.
    pub(crate) async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// Publishes the next state. Only the applier calls it, so there is one writer.
    ///
    /// The order is the promise: readers are sent to the view before it moves, and called back to the index after that
    /// has caught up; so a `get` shows no less than any view taken before it, and no more than any taken after it.
    pub(crate) fn publish(&self, state: State<K, V>, changed: Changed<K, V>) {
        let position = state.position;
        let state = Arc::new(state);
        if changed.is_empty() {
            self.view.store(state);
        } else {
            let keys: Vec<K> = changed.iter().map(|(key, _)| key.clone()).collect();
            self.index.mark_behind();
            // Kept until readers are back at the index: freeing what only it held takes longer than all the rest.
            let _older = self.view.swap(Arc::clone(&state));
            // Moved, not cloned: a key made beside its value lies beside it in memory, where a look-up wants both.
            for (key, value) in changed {
                match value {
                    Some(value) => self.index.put(key, value),
                    None if mutant!("forget_deletes_in_the_index") => {}
                    None => self.index.remove(&key),
                }
            }
            self.index.mark_level();
            self.subscribers.published(&state, keys.iter());
        }
        self.progress.move_to(position);
    }

    /// Says that nothing more will come. Only the first reason counts.
    pub(crate) fn end(&self, why: Error) {
        self.progress.end(why);
        self.subscribers.ended();
    }
}
