//! The task of a client that follows the leases and ends those that nobody has renewed.
//!
//! Never ends one before its time, counted from when *this* client saw it renewed: no clock is compared with another.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Batch, Change, Epoch, Error, LeaseId, Position, Result, Tail};
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use crate::chance;
use crate::lease_record::{Entry, Place, State, place};
use crate::leases::{Leases, is_overtaken};
use crate::view::View;

/// So many leases are ended at the same time.
const AT_ONCE: usize = 8;

/// How long after a failure the end of a lease is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The pauses before the leases are followed again: from the least to the most, doubling.
const LEAST_PAUSE: Duration = Duration::from_millis(50);
const MOST_PAUSE: Duration = Duration::from_secs(1);

struct Sweeper {
    leases: Arc<Leases>,
    view: Option<View>,
    /// The log can be followed from where the view is.
    is_followable: bool,
    /// What is being ended. It is given up with the task.
    ends: JoinSet<Result<()>>,
    /// Which lease each of them ends.
    busy: HashMap<task::Id, LeaseId>,
    pause: Duration,
}

enum Step {
    /// The end of a lease was tried; whether it is done.
    Tried(task::Id, bool),
    Batch(Result<Batch>),
    Due,
}

/// Sweeps for ever.
pub(crate) async fn sweep(leases: Arc<Leases>) {
    let mut sweeper = Sweeper {
        leases,
        view: None,
        is_followable: false,
        ends: JoinSet::new(),
        busy: HashMap::new(),
        pause: LEAST_PAUSE,
    };
    loop {
        let Err(error) = sweeper.follow().await;
        if is_overtaken(&error) {
            sweeper.is_followable = false;
        }
        sleep(sweeper.pause / 2 + chance::part_of(sweeper.pause / 2)).await;
        sweeper.pause = MOST_PAUSE.min(2 * sweeper.pause);
    }
}

impl Sweeper {
    /// Follows the leases until that breaks.
    async fn follow(&mut self) -> Result<Infallible, Error> {
        let mut tail = self.open().await?;
        loop {
            self.end_what_is_due();
            match self.step(&mut tail).await {
                Step::Tried(task, is_done) => self.note(task, is_done),
                Step::Batch(batch) => self.apply(&batch?),
                Step::Due => {}
            }
        }
    }

    /// What happens next. All of it is cancel safe.
    async fn step(&mut self, tail: &mut Tail) -> Step {
        let has_room = self.busy.len() < AT_ONCE;
        let next = self.view.as_ref().and_then(View::next);
        let due = async {
            match next.filter(|_| has_room) {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(tried) = self.ends.join_next_with_id() => match tried {
                Ok((task, outcome)) => Step::Tried(task, outcome.is_ok()),
                Err(broken) => Step::Tried(broken.id(), false),
            },
            batch = tail.next() => Step::Batch(batch),
            () = due => Step::Due,
        }
    }

    /// A tail from where the view is; if there is none, from a new view.
    async fn open(&mut self) -> Result<Tail> {
        let leases = Arc::clone(&self.leases);
        let (inner, keyspace) = (&leases.inner, &leases.keyspace);
        if let Some(view) = self.view.as_ref().filter(|_| self.is_followable) {
            return inner.tail(keyspace, view.position()).await;
        }
        let mut snapshot = inner.snapshot(keyspace).await?;
        let (at, mut states) = (snapshot.position(), BTreeMap::new());
        while let Some(page) = snapshot.next_page().await? {
            states.extend(page.iter().filter_map(State::of));
        }
        self.load(at, states);
        inner.tail(keyspace, at).await
    }

    fn load(&mut self, at: Position, states: BTreeMap<LeaseId, State>) {
        let now = Instant::now();
        let is_another_life = self.epoch().is_some_and(|epoch| epoch != at.epoch);
        if is_another_life {
            // What was to end may live in this one.
            self.ends.abort_all();
            self.busy.clear();
        }
        match &mut self.view {
            Some(view) => view.again(at, states, now),
            None => self.view = Some(View::of(at, states, now)),
        }
        let alive = self.view.as_ref().map(View::alive);
        self.leases.known.load(at, alive.unwrap_or_default());
        self.is_followable = true;
    }

    fn epoch(&self) -> Option<Epoch> {
        self.view.as_ref().map(|view| view.position().epoch)
    }

    fn apply(&mut self, batch: &Batch) {
        self.pause = LEAST_PAUSE;
        let Some(view) = &mut self.view else {
            return;
        };
        view.follow(batch, Instant::now());
        let gone = batch.changes.iter().filter_map(gone);
        let put = batch.changes.iter().filter_map(put);
        self.leases.known.follow(view.position(), gone, put);
    }

    /// Begins to end what nobody has renewed in time.
    fn end_what_is_due(&mut self) {
        let Some(view) = &mut self.view else {
            return;
        };
        let (now, epoch) = (Instant::now(), view.position().epoch);
        while self.busy.len() < AT_ONCE
            && let Some((id, state)) = view.due(now)
        {
            if self.busy.values().any(|busy| *busy == id) {
                view.put_off(id, now + AGAIN);
                continue;
            }
            let leases = Arc::clone(&self.leases);
            let end = async move { leases.finish(epoch, id, state).await };
            let task = self.ends.spawn(end);
            self.busy.insert(task.id(), id);
        }
    }

    fn note(&mut self, task: task::Id, is_done: bool) {
        // It may be of another life of the log.
        let Some(id) = self.busy.remove(&task) else {
            return;
        };
        if let Some(view) = self.view.as_mut().filter(|_| !is_done) {
            view.put_off(id, Instant::now() + AGAIN);
        }
    }
}

/// The lease that ends with a change, if one does.
fn gone(change: &Change) -> Option<LeaseId> {
    match change {
        Change::Delete { key, .. } => match place(key)? {
            Place::Alive(id) => Some(id),
            Place::Ended(_) => None,
        },
        _ => None,
    }
}

/// The lease that a change grants, renews, or tells of another keyspace, if it does.
fn put(change: &Change) -> Option<(LeaseId, Entry)> {
    match change {
        Change::Put(record) => match State::of(record)? {
            (id, State::Alive(entry)) => Some((id, entry)),
            (_, State::Ended(_)) => None,
        },
        _ => None,
    }
}
