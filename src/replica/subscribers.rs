//! Who is to be woken when something changes, and what each has not shown yet.
//!
//! The replica only ever leaves a note here and rings a bell: it never waits for a watcher. No code of the user's (a key's
//! `Hash`, `Eq`, `Ord` or `Drop`, a waker) runs while a lock is held.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use globe_log_client::Position;

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::ground::careful::carefully;
use crate::ground::pace::Pace;
use crate::ground::sync::{Mutex, Notify, lock};
use crate::replica::state::State;

/// How many changed keys are looked up at once: the list is locked meanwhile.
const LOOK: usize = 256;

/// The keys somebody wants to hear of.
pub(crate) enum Interest<K, V> {
    All,
    Key(K),
    /// Cheap and ours: may be asked by the replica for every changed key.
    Prefix(Asked<K>),
    Range((Bound<K>, Bound<K>)),
    /// The user's: asked only by the watch itself, so that it can neither hold up nor break the replica.
    Predicate(Asked<K>),
    /// The user's as well: asked of the value that was there and of the one that is.
    Values(Asked<V>),
}

/// A question of those who watch.
type Asked<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

impl<K: Key, V> Interest<K, V> {
    pub(crate) fn covers(&self, key: &K) -> bool {
        match self {
            // Of values the difference asks: there is none but in a change.
            Interest::All | Interest::Values(_) => true,
            Interest::Key(mine) => mine == key,
            Interest::Range(range) => range.contains(key),
            Interest::Prefix(covers) | Interest::Predicate(covers) => covers(key),
        }
    }

    /// What a watch of these keys keeps of a state.
    pub(crate) fn base(&self, state: &Arc<State<K, V>>) -> Base<K, V> {
        match self {
            Interest::Key(key) => Base::Entry {
                entry: state.entries.get(key).cloned(),
                mark: Mark::of(state),
            },
            _ => Base::State(Arc::clone(state)),
        }
    }
}

/// Where a state stands among the publications of its replica.
#[derive(Clone)]
pub(crate) struct Mark {
    /// Of which replica: counters compare only inside one.
    pub(crate) origin: Arc<()>,
    pub(crate) position: Position,
    pub(crate) sequence: u64,
    pub(crate) resyncs: u64,
}

impl Mark {
    pub(crate) fn of<K, V>(state: &State<K, V>) -> Mark {
        Mark {
            origin: Arc::clone(&state.origin),
            position: state.position,
            sequence: state.sequence,
            resyncs: state.resyncs,
        }
    }
}

/// What a watch showed last, where that is not what stands now.
pub(crate) enum Base<K, V> {
    State(Arc<State<K, V>>),
    /// Of a watch of one key: its entry, and nothing else of the map.
    Entry {
        entry: Option<Entry<V>>,
        mark: Mark,
    },
}

impl<K, V> Base<K, V> {
    pub(crate) fn mark(&self) -> Mark {
        match self {
            Base::State(state) => Mark::of(state),
            Base::Entry { mark, .. } => mark.clone(),
        }
    }
}

/// What a watch is to show next.
pub(crate) struct Span<K, V> {
    pub(crate) from: Base<K, V>,
    pub(crate) to: Arc<State<K, V>>,
    /// Whether nothing the watch covers changed in between but by one commit.
    pub(crate) is_step: bool,
}

/// One publication, kept for a watch that wants each.
struct Publication<K, V> {
    before: Arc<State<K, V>>,
    after: Arc<State<K, V>>,
}

struct Backlog<K, V> {
    room: usize,
    kept: VecDeque<Publication<K, V>>,
    /// There were more than there is room for: what was kept is given up, and shown as one difference.
    is_overrun: bool,
}

/// What one watch has not shown yet.
struct Unshown<K, V> {
    /// What was published up to here counts as shown.
    shown: u64,
    /// What it showed last, from the first change on that it covers: before that it keeps nothing of the map.
    base: Option<Base<K, V>>,
    backlog: Option<Backlog<K, V>>,
}

struct Subscriber<K, V> {
    interest: Interest<K, V>,
    bell: Notify,
    unshown: Mutex<Unshown<K, V>>,
}

impl<K: Key, V> Subscriber<K, V> {
    /// Notes a publication that changed what it covers; whether there is anything to ring for.
    fn offer(&self, before: &Arc<State<K, V>>, after: &Arc<State<K, V>>) -> bool {
        let base = self.interest.base(before);
        let let_go = {
            let mut unshown = lock(&self.unshown);
            if after.sequence <= unshown.shown {
                return false;
            }
            unshown.note(base, before, after)
        };
        drop(let_go);
        true
    }
}

/// What is dropped only after the lock is let go.
type LetGo<K, V> = (Option<Base<K, V>>, VecDeque<Publication<K, V>>);

impl<K, V> Unshown<K, V> {
    fn note(
        &mut self,
        base: Base<K, V>,
        before: &Arc<State<K, V>>,
        after: &Arc<State<K, V>>,
    ) -> LetGo<K, V> {
        let unused = if self.base.is_none() {
            self.base = Some(base);
            None
        } else {
            Some(base)
        };
        let mut let_go = VecDeque::new();
        let backlog = self.backlog.as_mut();
        if let Some(backlog) = backlog.filter(|backlog| !backlog.is_overrun) {
            if backlog.kept.len() < backlog.room {
                let (before, after) = (Arc::clone(before), Arc::clone(after));
                backlog.kept.push_back(Publication { before, after });
            } else {
                let_go = std::mem::take(&mut backlog.kept);
                backlog.is_overrun = true;
            }
        }
        (unused, let_go)
    }
}

/// A place in the list of subscribers; dropping it leaves the list.
pub(crate) struct Subscription<K: Key, V> {
    number: u64,
    /// Of the key, if it is one key's.
    hash: Option<u64>,
    subscriber: Arc<Subscriber<K, V>>,
    list: Arc<Mutex<List<K, V>>>,
}

impl<K: Key, V> Subscription<K, V> {
    pub(crate) fn interest(&self) -> &Interest<K, V> {
        &self.subscriber.interest
    }

    /// Waits for the bell. One ring that nobody waited for is kept.
    pub(crate) async fn woken(&self) {
        carefully(self.subscriber.bell.notified()).await;
    }

    /// From now on every publication is kept, up to so many.
    pub(crate) fn keep_each(&self, room: usize) {
        let mut unshown = lock(&self.subscriber.unshown);
        let is_overrun = unshown.base.is_some();
        unshown.backlog = Some(Backlog {
            room,
            kept: VecDeque::new(),
            is_overrun,
        });
    }

    /// What is to be shown next, if anything. `now` says what is published.
    pub(crate) fn take(&self, now: impl FnOnce() -> Arc<State<K, V>>) -> Option<Span<K, V>> {
        let (first, let_go);
        {
            let mut unshown = lock(&self.subscriber.unshown);
            let backlog = unshown.backlog.as_mut();
            match backlog.filter(|backlog| !backlog.is_overrun) {
                None => return unshown.take_all(now),
                Some(backlog) => {
                    first = backlog.kept.pop_front()?;
                    unshown.shown = first.after.sequence;
                    // What was shown last is now what stands before the next one, if there is one.
                    let backlog = unshown.backlog.as_ref();
                    let next = backlog.and_then(|backlog| backlog.kept.front());
                    let next = next.map(|next| Base::State(Arc::clone(&next.before)));
                    let_go = std::mem::replace(&mut unshown.base, next);
                }
            }
        }
        drop(let_go);
        Some(Span {
            from: Base::State(first.before),
            to: first.after,
            is_step: true,
        })
    }

    /// Counts everything that is published as shown; returns that.
    pub(crate) fn catch_up(&self, now: impl FnOnce() -> Arc<State<K, V>>) -> Arc<State<K, V>> {
        let (state, let_go);
        {
            let mut unshown = lock(&self.subscriber.unshown);
            state = unshown.move_to(now);
            let backlog = unshown.backlog.as_mut();
            let kept = backlog.map(|backlog| std::mem::take(&mut backlog.kept));
            let_go = (unshown.base.take(), kept);
        }
        drop(let_go);
        state
    }
}

impl<K, V> Unshown<K, V> {
    /// All that is unshown, as one difference.
    fn take_all(&mut self, now: impl FnOnce() -> Arc<State<K, V>>) -> Option<Span<K, V>> {
        // While there is none, what is just being published is yet to be noted: it must not count as shown.
        let from = self.base.take()?;
        let to = self.move_to(now);
        Some(Span {
            from,
            to,
            is_step: false,
        })
    }

    fn move_to(&mut self, now: impl FnOnce() -> Arc<State<K, V>>) -> Arc<State<K, V>> {
        let now = now();
        self.shown = now.sequence;
        if let Some(backlog) = &mut self.backlog {
            backlog.is_overrun = false;
        }
        now
    }
}

impl<K: Key, V> Drop for Subscription<K, V> {
    fn drop(&mut self) {
        let mut list = lock(&self.list);
        // What is removed lives on in this very subscription, so nothing of the user's is dropped here.
        let Some(hash) = self.hash else {
            list.of_many.remove(&self.number);
            return;
        };
        if let Some(members) = list.of_one_key.get_mut(&hash) {
            members.remove(&self.number);
            if members.is_empty() {
                list.of_one_key.remove(&hash);
            }
        }
    }
}

/// In the order in which they came: that is the order in which they are woken.
type Members<K, V> = BTreeMap<u64, Arc<Subscriber<K, V>>>;

struct List<K, V> {
    next: u64,
    /// Those who want one key, by the hash of that key, so that ten thousand of them cost a change one look-up.
    of_one_key: HashMap<u64, Members<K, V>>,
    of_many: Members<K, V>,
}

pub(crate) struct Subscribers<K, V> {
    hasher: RandomState,
    list: Arc<Mutex<List<K, V>>>,
}

impl<K: Key, V> Subscribers<K, V> {
    pub(crate) fn new() -> Subscribers<K, V> {
        Subscribers {
            hasher: RandomState::new(),
            list: Arc::new(Mutex::new(List {
                next: 0,
                of_one_key: HashMap::new(),
                of_many: Members::new(),
            })),
        }
    }

    pub(crate) fn subscribe(&self, interest: Interest<K, V>) -> Subscription<K, V> {
        let hash = match &interest {
            Interest::Key(key) => Some(self.hasher.hash_one(key)),
            _ => None,
        };
        let subscriber = Arc::new(Subscriber {
            interest,
            bell: Notify::new(),
            unshown: Mutex::new(Unshown {
                shown: 0,
                base: None,
                backlog: None,
            }),
        });
        let mut list = lock(&self.list);
        let number = list.next;
        list.next += 1;
        let members = match hash {
            Some(hash) => list.of_one_key.entry(hash).or_default(),
            None => &mut list.of_many,
        };
        members.insert(number, Arc::clone(&subscriber));
        drop(list);
        Subscription {
            number,
            hash,
            subscriber,
            list: Arc::clone(&self.list),
        }
    }

    /// Whether there is anybody.
    pub(crate) fn is_empty(&self) -> bool {
        let list = lock(&self.list);
        list.of_one_key.is_empty() && list.of_many.is_empty()
    }

    /// Notes a publication for those who cover one of the changed keys, and rings for them.
    pub(crate) async fn published(
        &self,
        before: &Arc<State<K, V>>,
        after: &Arc<State<K, V>>,
        changed: &[Arc<K>],
    ) {
        let mut pace = Pace::new();
        let mut told = Vec::new();
        for keys in changed.chunks(LOOK) {
            for (subscriber, key) in self.of_keys(keys) {
                if subscriber.interest.covers(key) && subscriber.offer(before, after) {
                    told.push(subscriber);
                }
            }
            pace.step().await;
        }
        for subscriber in self.of_many() {
            if is_covered(&subscriber.interest, changed, &mut pace).await
                && subscriber.offer(before, after)
            {
                told.push(subscriber);
            }
        }
        // Only now: a waker that panics takes from nobody else what they are to show.
        for subscriber in told {
            subscriber.bell.notify_one();
            pace.step().await;
        }
    }

    /// Those who may want one of these keys: whose key has the same hash.
    fn of_keys<'a>(&self, keys: &'a [Arc<K>]) -> Vec<(Arc<Subscriber<K, V>>, &'a K)> {
        if lock(&self.list).of_one_key.is_empty() {
            return Vec::new();
        }
        let hashes: Vec<u64> = keys.iter().map(|key| self.hasher.hash_one(key)).collect();
        let list = lock(&self.list);
        let found = keys.iter().zip(hashes).filter_map(|(key, hash)| {
            let members = list.of_one_key.get(&hash)?.values();
            Some(members.map(move |subscriber| (Arc::clone(subscriber), &**key)))
        });
        found.flatten().collect()
    }

    fn of_many(&self) -> Vec<Arc<Subscriber<K, V>>> {
        let list = lock(&self.list);
        list.of_many.values().cloned().collect()
    }

    /// Rings for everybody: the end has come.
    pub(crate) fn ended(&self) {
        let everybody: Vec<_> = {
            let list = lock(&self.list);
            let of_one_key = list.of_one_key.values().flat_map(BTreeMap::values);
            of_one_key.chain(list.of_many.values()).cloned().collect()
        };
        everybody
            .iter()
            .for_each(|subscriber| subscriber.bell.notify_one());
    }
}

/// Whether somebody is to hear of changed keys. A predicate is the user's, and is not asked here.
async fn is_covered<K: Key, V>(
    interest: &Interest<K, V>,
    changed: &[Arc<K>],
    pace: &mut Pace,
) -> bool {
    if !matches!(interest, Interest::Prefix(_) | Interest::Range(_)) {
        return true;
    }
    for keys in changed.chunks(LOOK) {
        if keys.iter().any(|key| interest.covers(key)) {
            return true;
        }
        pace.step().await;
    }
    false
}
