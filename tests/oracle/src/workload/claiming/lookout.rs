//! Who looks, now and then, at every guard that is held and every session that is open.
//!
//! Only looks: what it saw is judged afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use futures::FutureExt;
use globe::{Session, SessionEvents};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::held::{Guard, did_of};
use crate::history::{ClaimDid, Event, SessionDid, SessionStep, Standing};
use crate::recorder::Recorder;

/// Shared by all of a run. Looks at guards in its own lock, so that whoever takes one from it has it alone.
#[derive(Clone)]
pub(crate) struct Lookout {
    pub(crate) recorder: Recorder,
    guards: Arc<Mutex<BTreeMap<u32, Arc<Guard>>>>,
    sessions: Arc<Mutex<BTreeMap<u32, Watched>>>,
}

/// A session, and what it tells.
struct Watched {
    node: u32,
    session: Session,
    events: SessionEvents,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lookout {
    pub(crate) fn new(recorder: &Recorder) -> Lookout {
        Lookout {
            recorder: recorder.clone(),
            guards: Arc::default(),
            sessions: Arc::default(),
        }
    }

    pub(crate) fn watch(&self, number: u32, node: u32, session: &Session) {
        let watched = Watched {
            node,
            session: session.clone(),
            events: session.events(),
        };
        lock(&self.sessions).insert(number, watched);
    }

    pub(crate) fn forget_session(&self, number: u32) {
        let forgotten = lock(&self.sessions).remove(&number);
        drop(forgotten);
    }

    pub(crate) fn hold(&self, claim: u32, guard: &Arc<Guard>) {
        lock(&self.guards).insert(claim, Arc::clone(guard));
    }

    pub(crate) fn forget(&self, claim: u32) {
        let forgotten = lock(&self.guards).remove(&claim);
        drop(forgotten);
    }

    /// Looks at all of them, one after the other.
    pub(crate) fn look(&self) {
        for (claim, guard) in lock(&self.guards).iter() {
            let call = self.recorder.now();
            let standing = Standing::from(guard.hold().state());
            did_of(&self.recorder, *claim, ClaimDid::Seen(standing), call);
        }
        for (number, watched) in lock(&self.sessions).iter_mut() {
            let call = self.recorder.now();
            let standing = Standing::from(watched.session.state());
            let ret = self.recorder.now();
            let mut was_away = false;
            while let Some(Some(_)) = watched.events.next().now_or_never() {
                was_away = true;
            }
            self.recorder.record(Event::SessionStep(SessionStep {
                session: *number,
                node: watched.node,
                did: SessionDid::Seen { standing, was_away },
                call,
                ret,
            }));
        }
    }

    /// Looks until it is over.
    pub(crate) async fn run(self, rest: Duration, mut rng: Rng, over: CancellationToken) {
        while !over.is_cancelled() {
            self.look();
            let pause = rest.mul_f64(rng.f64()).max(Duration::from_millis(1));
            tokio::select! {
                biased;
                () = sleep(pause) => {}
                () = over.cancelled() => {}
            }
        }
    }
}
