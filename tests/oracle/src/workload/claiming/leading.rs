//! A claimant that leads: its work is run whenever it leads, and dropped when that is not sure any more.
//!
//! It does not look after its term itself: that is what is played.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use globe::{Election, Epoch, Fenced, Leadership, Token};
use tokio::time::{sleep, timeout};

use super::claimant::Claimant;
use super::held::{Guard, Traced, Wish};
use super::lookout::Lookout;
use super::presence::Presence;
use super::resource::Resources;
use super::wanted::Wanted;
use crate::history::ClaimDid;
use crate::recorder::Recorder;

/// The terms of one who leads.
struct Terms {
    lookout: Lookout,
    recorder: Recorder,
    resources: Resources,
    wish: Wish,
    /// The newest one.
    current: Mutex<(Option<Token>, Option<Traced>)>,
}

impl Terms {
    /// Work of a term begins; the number of its claim.
    fn begins(&self, term: &Leadership) -> u32 {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, traced) = &mut *current;
        if *token != Some(term.token()) {
            let mut next = match token.replace(term.token()) {
                None => traced.take(),
                Some(_) => None,
            };
            let next = next
                .take()
                .unwrap_or_else(|| Traced::asks(&self.recorder, &self.wish, false));
            if let Some(former) = traced.replace(next) {
                let now = former.now();
                former.ends(ClaimDid::LetGo, now);
            }
            if let Some(traced) = traced {
                traced.granted(term.token());
            }
        }
        traced.as_ref().map_or(0, Traced::claim)
    }

    /// It leads no more.
    fn end(&self, did: ClaimDid) {
        let current = self.current.lock();
        let (token, traced) = std::mem::take(&mut *current.unwrap_or_else(PoisonError::into_inner));
        if let (Some(_), Some(traced)) = (token, traced) {
            let now = traced.now();
            traced.ends(did, now);
        }
    }
}

/// A term that is looked at. Dropped with the work.
struct Term {
    terms: Arc<Terms>,
    claim: u32,
    guard: Arc<Guard>,
}

impl Term {
    fn effect(&self, life: Epoch) {
        let Terms {
            resources,
            recorder,
            wish,
            ..
        } = &*self.terms;
        let by = (self.claim, &*self.guard);
        resources.effect(recorder, by, (wish.root.as_str(), wish.share), life);
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        self.terms.lookout.forget(self.claim);
    }
}

impl Claimant {
    /// Leads for a while: works, until the work is done or it has no patience any more.
    pub(crate) async fn lead(&mut self, presence: &Presence) {
        let (name, wish) = self.wish(presence, Wanted::Leading);
        let Ok(election) = Election::new(&self.shop.claims, &presence.session, &name) else {
            return;
        };
        let terms = Arc::new(Terms {
            lookout: self.lookout.clone(),
            recorder: self.recorder.clone(),
            resources: self.resources.clone(),
            current: Mutex::new((None, Some(Traced::asks(&self.recorder, &wish, false)))),
            wish,
        });
        let patience = self.claiming.wait.mul_f64(self.rng.f64() * 2.0);
        let mut rng = self.rng.fork();
        let (claims, longest) = (self.shop.claims.clone(), self.claiming.hold);
        let leading = election.lead(self.recorder.number(), |term| {
            let claim = terms.begins(&term);
            let guard = Arc::new(Guard::Term(term));
            terms.lookout.hold(claim, &guard);
            let term = Term {
                terms: Arc::clone(&terms),
                claim,
                guard,
            };
            let (rest, is_done) = (longest.mul_f64(rng.f64()), rng.bool());
            let claims = claims.clone();
            async move {
                sleep(rest).await;
                term.effect(claims.view().position().epoch);
                match is_done {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            }
        });
        let led = timeout(patience, leading).await;
        terms.end(match led {
            Ok(led) => ClaimDid::Released(led.is_ok()),
            Err(_) => ClaimDid::LetGo,
        });
    }
}
