//! Who is to be woken when something changes.
//!
//! The replica only ever rings a bell here, or offers a step to a queue that may be full: it never waits for a watcher.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use crate::key::Key;
use crate::sync::{AtomicU64, Mutex, Notify, lock};
use crate::view::State;

/// From this many changed keys on, a step wakes every prefix watch.
const LARGE_STEP: usize = 1_000;

/// The keys somebody wants to hear of.
pub(crate) enum Interest<K> {
    All,
    Key(K),
    /// Cheap and ours: may be asked by the replica for every changed key.
    Prefix(Box<dyn Fn(&K) -> bool + Send + Sync>),
    /// The user's: asked only by the watch itself, so that it can neither hold up nor break the replica.
    Predicate(Box<dyn Fn(&K) -> bool + Send + Sync>),
}

/// One revision, offered to a watch that wants each.
pub(crate) struct Step<K, V> {
    /// Counts the steps offered to this watch, from 1.
    pub(crate) number: u64,
    pub(crate) state: Arc<State<K, V>>,
}

struct Subscriber<K, V> {
    interest: Interest<K>,
    bell: Notify,
    queue: Mutex<Option<mpsc::Sender<Step<K, V>>>>,
    offered: AtomicU64,
    lost: AtomicU64,
}

impl<K: Key, V> Subscriber<K, V> {
    fn covers(&self, key: &K) -> bool {
        match &self.interest {
            Interest::All => true,
            Interest::Key(mine) => mine == key,
            Interest::Prefix(covers) | Interest::Predicate(covers) => covers(key),
        }
    }

    fn offer(&self, state: &Arc<State<K, V>>) {
        if let Some(queue) = &*lock(&self.queue) {
            let number = self.offered.fetch_add(1, Ordering::AcqRel) + 1;
            if queue
                .try_send(Step {
                    number,
                    state: Arc::clone(state),
                })
                .is_err()
            {
                let lost = u64::from(!mutant!("forget_lost_steps")) * number;
                self.lost.store(lost, Ordering::Release);
            }
        }
        self.bell.notify_one();
    }
}

/// A place in the list of subscribers; dropping it leaves the list.
pub(crate) struct Subscription<K: Key, V> {
    number: u64,
    subscriber: Arc<Subscriber<K, V>>,
    list: Arc<Mutex<List<K, V>>>,
}

impl<K: Key, V> Subscription<K, V> {
    pub(crate) fn covers(&self, key: &K) -> bool {
        self.subscriber.covers(key)
    }

    /// Waits for the bell. One ring that nobody waited for is kept.
    pub(crate) async fn woken(&self) {
        self.subscriber.bell.notified().await;
    }

    /// From now on every revision is offered; returns the queue, and how many had been offered before.
    pub(crate) fn keep_steps(&self, buffer: usize) -> (mpsc::Receiver<Step<K, V>>, u64) {
        let kept = if mutant!("queue_without_bound") {
            1 << 20
        } else {
            buffer
        };
        let (sender, receiver) = mpsc::channel(kept);
        *lock(&self.subscriber.queue) = Some(sender);
        (receiver, self.count())
    }

    /// How many steps were offered.
    pub(crate) fn count(&self) -> u64 {
        self.subscriber.offered.load(Ordering::Acquire)
    }

    /// The number of the last step that found the queue full; 0 for none.
    pub(crate) fn lost(&self) -> u64 {
        self.subscriber.lost.load(Ordering::Acquire)
    }
}

impl<K: Key, V> Drop for Subscription<K, V> {
    fn drop(&mut self) {
        let mut list = lock(&self.list);
        let Interest::Key(key) = &self.subscriber.interest else {
            list.of_many.remove(&self.number);
            return;
        };
        if let Some(members) = list.of_one_key.get_mut(key) {
            members.remove(&self.number);
            if members.is_empty() {
                list.of_one_key.remove(key);
            }
        }
    }
}

/// In the order in which they came: that is the order in which they are woken.
type Members<K, V> = BTreeMap<u64, Arc<Subscriber<K, V>>>;

struct List<K, V> {
    next: u64,
    /// Those who want one key, by that key, so that ten thousand of them cost a change one look-up.
    of_one_key: HashMap<K, Members<K, V>>,
    of_many: Members<K, V>,
}

pub(crate) struct Subscribers<K, V> {
    list: Arc<Mutex<List<K, V>>>,
}

impl<K: Key, V> Subscribers<K, V> {
    pub(crate) fn new() -> Subscribers<K, V> {
        Subscribers {
            list: Arc::new(Mutex::new(List {
                next: 0,
                of_one_key: HashMap::new(),
                of_many: Members::new(),
            })),
        }
    }

    pub(crate) fn subscribe(&self, interest: Interest<K>) -> Subscription<K, V> {
        let subscriber = Arc::new(Subscriber {
            interest,
            bell: Notify::new(),
            queue: Mutex::new(None),
            offered: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let mut list = lock(&self.list);
        let number = list.next;
        list.next += 1;
        let members = match &subscriber.interest {
            Interest::Key(key) => list.of_one_key.entry(key.clone()).or_default(),
            _ => &mut list.of_many,
        };
        members.insert(number, Arc::clone(&subscriber));
        Subscription {
            number,
            subscriber,
            list: Arc::clone(&self.list),
        }
    }

    /// Rings for those who cover one of the changed keys.
    pub(crate) fn published<'a>(
        &self,
        state: &Arc<State<K, V>>,
        changed: impl Iterator<Item = &'a K> + Clone,
    ) {
        let list = lock(&self.list);
        if !list.of_one_key.is_empty() {
            let members = changed.clone().filter_map(|key| list.of_one_key.get(key));
            members
                .flat_map(BTreeMap::values)
                .for_each(|subscriber| subscriber.offer(state));
        }
        // After a large step, asking each prefix about each key costs more than waking one watch too many.
        let is_small = changed.clone().nth(LARGE_STEP).is_none();
        for (number, subscriber) in &list.of_many {
            let covered = match &subscriber.interest {
                Interest::Prefix(_) if is_small => {
                    changed.clone().any(|key| subscriber.covers(key))
                }
                _ => true,
            };
            if covered && !(mutant!("wake_one_watch_only") && *number > 0) {
                subscriber.offer(state);
            }
        }
    }

    /// Rings for everybody: the end has come.
    pub(crate) fn ended(&self) {
        let list = lock(&self.list);
        let of_one_key = list.of_one_key.values().flat_map(BTreeMap::values);
        of_one_key
            .chain(list.of_many.values())
            .for_each(|subscriber| subscriber.bell.notify_one());
    }
}
