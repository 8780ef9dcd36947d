//! The queue of one name: who of this process waits in it, and who is let in.
//!
//! Never asks the log: it looks at the local copy, at each change of the name's claims. One task serves all who wait, and
//! wakes exactly those whom it lets in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::recipes::claim::{Claim, Claims};
use crate::recipes::order::{Before, Place, Rule, queue};
use crate::session::claims::Claimed;
use crate::{Error, ErrorKind, Position, Result, Session, SessionState, View};

/// The claims of one name.
pub(crate) struct Queue {
    pub(crate) claims: Claims,
    pub(crate) session: Session,
    /// `lock/invoices`: where the permits of a semaphore stand.
    pub(crate) root: String,
    /// `lock/invoices/`: what the keys of its claims begin with.
    prefix: String,
    kind: Kind,
    waiting: Mutex<Waiting>,
    /// Somebody new waits.
    stirred: Notify,
}

/// What kind of queue it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lock,
    RwLock,
    Semaphore,
    Election,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Lock => "lock",
            Kind::RwLock => "rw_lock",
            Kind::Semaphore => "semaphore",
            Kind::Election => "election",
        }
    }
}

#[derive(Default)]
struct Waiting {
    /// By the key of the claim.
    waiters: HashMap<String, Waiter>,
    is_served: bool,
}

struct Waiter {
    claimed: Arc<Claimed>,
    answer: oneshot::Sender<Result<()>>,
}

impl Queue {
    pub(crate) fn new(
        claims: &Claims,
        session: &Session,
        kind: Kind,
        name: &str,
    ) -> Result<Arc<Queue>> {
        let word = kind.word();
        let name = super::name::escaped(word, name)?;
        if claims.log().id() != session.log().id() {
            let why = format!("the {word} {name} and its session are on different logs");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        let root = format!("{word}/{name}");
        let prefix = format!("{root}/");
        // One for all who ask by this name, so that one task serves them.
        Ok(session.share(claims, &root, || Queue {
            claims: claims.clone(),
            session: session.clone(),
            root: root.clone(),
            prefix,
            kind,
            waiting: Mutex::default(),
            stirred: Notify::new(),
        }))
    }

    /// What may stand before a claim, by what a view says.
    pub(crate) fn rule(&self, view: &View<String, Claim>) -> Rule {
        match self.kind {
            Kind::Lock | Kind::Election => Rule::Alone,
            Kind::RwLock => Rule::Shared,
            Kind::Semaphore => Rule::Permits(permits(view, &self.root)),
        }
    }

    /// Whether anybody may be let in now.
    pub(crate) fn grants(&self) -> bool {
        self.session.grants(&self.claims)
    }

    /// Waits until somebody may be let in.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) async fn may_grant(&self) -> Result<()> {
        self.session.may_grant(&self.claims).await
    }

    /// A key that nobody has used, for a claim of this session's.
    pub(crate) fn new_key(&self) -> String {
        format!("{}{}", self.prefix, self.session.next_claim())
    }

    /// The claims, in their order, as the local copy shows them; nothing when one cannot be read.
    pub(crate) fn places(&self, view: &View<String, Claim>) -> Option<Vec<Place>> {
        queue(view, &self.prefix)
    }

    /// Whether one who came now would be let in at once.
    pub(crate) fn is_free(&self, weight: u32, reads: bool) -> bool {
        let view = self.claims.view();
        let Some(places) = self.places(&view) else {
            return false;
        };
        let mut before = Before::default();
        places.iter().for_each(|place| before.add(place));
        before.lets_in(self.rule(&view), weight, reads)
    }

    /// Whether a claim that was made just now is let in.
    pub(crate) fn lets_in(&self, claimed: &Claimed) -> bool {
        let view = self.claims.view();
        let Some(places) = self.places(&view) else {
            return false;
        };
        let key = claimed.key();
        let mut before = Before::default();
        for place in &places {
            if place.key == key {
                let is_let_in = before.lets_in(self.rule(&view), place.weight, place.reads);
                return is_let_in && claimed.state() == SessionState::Live && self.grants();
            }
            before.add(place);
        }
        false
    }

    /// Whether there are so many permits at all.
    ///
    /// # Errors
    /// `Invalid` if not: it would be in the way of all behind it for ever.
    pub(crate) fn check(&self, rule: Rule, weight: u32) -> Result<()> {
        match rule {
            Rule::Permits(Some(limit)) if weight > limit => {
                let root = &self.root;
                let why = format!("{root} has {limit} permits: {weight} at once cannot be had");
                Err(Error::new(ErrorKind::Invalid, why))
            }
            _ => Ok(()),
        }
    }

    /// Who of these is first, in a view: who holds, of a queue in which one does.
    pub(crate) fn first(&self, view: &View<String, Claim>) -> Option<Place> {
        let claims = view.with_prefix(&self.prefix.as_str());
        let places = claims.map(|(key, entry)| Place::new(key, entry));
        places.min()
    }

    /// Hears of changes of its claims.
    pub(crate) fn watch(&self) -> crate::Watch<String, Claim> {
        self.claims.watch_prefix(self.prefix.as_str())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a claim is let in, and returns it; nothing when it is lost. Cancel safe: dropping it lets the claim go.
    ///
    /// # Errors
    /// `Invalid` when it asks for more permits than there are by now.
    pub(crate) async fn wait(self: &Arc<Self>, claimed: Claimed) -> Result<Option<Arc<Claimed>>> {
        let claimed = Arc::new(claimed);
        let key = claimed.key();
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter {
            claimed: Arc::clone(&claimed),
            answer,
        };
        let _leaving = Leaving(self, &key);
        let is_served = {
            let mut waiting = self.waiting();
            waiting.waiters.insert(key.clone(), waiter);
            std::mem::replace(&mut waiting.is_served, true)
        };
        if is_served {
            self.stirred.notify_one();
        } else {
            self.session.spawn(serve(Arc::clone(self)));
        }
        let Ok(answer) = answered.await else {
            // The runtime is going away.
            return Ok(None);
        };
        answer?;
        let is_lost = matches!(claimed.state(), SessionState::Lost(_));
        Ok((!is_lost).then_some(claimed))
    }

    /// Answers those who are let in, and those whose claim is lost; whether anybody still waits.
    fn answer(&self) -> bool {
        let decided = self.decide();
        let mut waiting = self.waiting();
        let answered = decided.into_iter().filter_map(|(key, answer)| {
            let waiter = waiting.waiters.remove(&key)?;
            Some((waiter, answer))
        });
        let answered: Vec<(Waiter, Result<()>)> = answered.collect();
        let still = !waiting.waiters.is_empty();
        waiting.is_served = still;
        drop(waiting);
        for (waiter, answer) in answered {
            // Who is not there any more has let its claim go.
            let _ = waiter.answer.send(answer);
        }
        still
    }

    /// Whose wait is over, by the keys of their claims, and whether in vain. Looks at clocks and wakes who listens to them, so
    /// under no lock.
    fn decide(&self) -> Vec<(String, Result<()>)> {
        let asking = |(key, waiter): (&String, &Waiter)| (key.clone(), Arc::clone(&waiter.claimed));
        let mut asking: HashMap<String, Arc<Claimed>> =
            self.waiting().waiters.iter().map(asking).collect();
        let view = self.claims.view();
        let (places, rule) = (self.places(&view), self.rule(&view));
        let (epoch, grants) = (view.position().epoch, self.grants());
        let losses = self.session.losses();
        let mut before = Before::default();
        let mut decided = Vec::new();
        for place in places.iter().flatten() {
            let created = Position::new(epoch, place.created);
            let asks = asking.remove(&place.key);
            if let Some(claimed) = asks.filter(|claimed| claimed.created() == created) {
                let is_let_in = grants && before.lets_in(rule, place.weight, place.reads);
                let can_ever = self.check(rule, place.weight);
                let is_over = is_let_in || can_ever.is_err();
                // Of the others it is enough that they stand, and were asked for of no session that was lost since. Not even
                // that says that it is lost: it may have been written when the session was live again.
                let is_decided = (is_over || claimed.is_outlived(losses))
                    && match claimed.state() {
                        SessionState::Live => is_over,
                        SessionState::Suspended => false,
                        SessionState::Lost(_) => true,
                    };
                if is_decided {
                    decided.push((place.key.clone(), can_ever));
                }
            }
            before.add(place);
        }
        // What does not stand, or cannot be told from what cannot be read.
        let is_lost = |claimed: &Claimed| matches!(claimed.state(), SessionState::Lost(_));
        let lost = asking.into_iter().filter(|(_, claimed)| is_lost(claimed));
        decided.extend(lost.map(|(key, _)| (key, Ok(()))));
        decided
    }
}

/// Serves those who wait, as long as there are any.
async fn serve(queue: Arc<Queue>) {
    let mut watch = queue.watch();
    let mut limit = queue.claims.watch_key(queue.root.clone());
    let mut bad = queue.claims.watch_quarantine();
    loop {
        let state = queue.session.state();
        if !queue.answer() {
            return;
        }
        let changed = queue.session.changed(state);
        let grace = queue.may_grant();
        let in_grace = state == SessionState::Live && !queue.grants();
        tokio::select! {
            changes = watch.next() => if changes.is_none() {
                queue.session.changed(state).await;
            },
            _ = limit.next() => {}
            _ = bad.next() => {}
            _ = changed => {}
            _ = grace, if in_grace => {}
            () = queue.stirred.notified() => {}
        }
    }
}

/// Leaves the queue, whatever becomes of who waits.
struct Leaving<'a>(&'a Arc<Queue>, &'a str);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let left = self.0.waiting().waiters.remove(self.1);
        drop(left);
        // The one who serves them ends with the last.
        self.0.stirred.notify_one();
    }
}

/// How many permits there are, by their record.
pub(crate) fn permits(view: &View<String, Claim>, root: &str) -> Option<u32> {
    let record = view.get(root)?;
    let permits = record.value.get("permits")?.as_u64()?;
    u32::try_from(permits).ok()
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
