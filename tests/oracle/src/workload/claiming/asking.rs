//! How a claimant asks for things: with what patience, and what comes of it.
//!
//! It holds nothing: what was had is handed out.

use std::sync::Arc;

use globe::{Election, Fenced, Hold, Lock, Request, Result, RwLock, Semaphore};
use tokio::time::{Duration, sleep, timeout};

use super::claimant::Claimant;
use super::held::{Guard, Held, Traced, Wish};
use super::presence::Presence;
use super::wanted::{Patience, Wanted};
use crate::history::{ClaimDid, Share};

impl Claimant {
    /// A name of what is wanted, and how it shares.
    pub(crate) fn wish(&mut self, presence: &Presence, wanted: Wanted) -> (String, Wish) {
        let name = format!("n{}", self.rng.usize(..self.claiming.names.max(1)));
        let permits = self.claiming.permits;
        let share = match wanted {
            Wanted::Lock | Wanted::Writing | Wanted::Leading => Share::Alone,
            Wanted::Reading => Share::Reads,
            Wanted::Permits => Share::Permits(self.rng.u32(1..=permits), permits),
        };
        let wish = Wish {
            session: presence.number,
            node: self.shop.node,
            root: format!("{}/{name}", wanted.word()),
            share,
        };
        (name, wish)
    }

    /// Asks for something.
    pub(crate) async fn ask(
        &mut self,
        presence: &Presence,
        wanted: Wanted,
        patience: Patience,
    ) -> Option<Held> {
        let (name, wish) = self.wish(presence, wanted);
        let (claims, session) = (self.shop.claims.clone(), &presence.session);
        let is_patient = matches!(patience, Patience::Endless);
        let traced = Traced::asks(&self.recorder, &wish, is_patient);
        let mut had = match wanted {
            Wanted::Lock => {
                let lock = Lock::new(&claims, session, &name);
                self.have(lock.map(|lock| lock.request()), patience).await
            }
            Wanted::Reading => {
                let lock = RwLock::new(&claims, session, &name);
                self.have(lock.map(|lock| lock.request_read()), patience)
                    .await
            }
            Wanted::Writing => {
                let lock = RwLock::new(&claims, session, &name);
                self.have(lock.map(|lock| lock.request_write()), patience)
                    .await
            }
            Wanted::Leading => {
                let election = Election::new(&claims, session, &name);
                self.have(election.map(|election| election.request()), patience)
                    .await
            }
            Wanted::Permits => {
                let Share::Permits(weight, limit) = wish.share else {
                    return None;
                };
                let semaphore = Semaphore::new(&claims, session, &name, limit).ok()?;
                let mut request = semaphore.request(weight).await;
                // Nobody may have written down yet how many there are, and the log may be in the way of that.
                while is_patient && request.is_err() {
                    sleep(Duration::from_millis(100)).await;
                    request = semaphore.request(weight).await;
                }
                self.have(request, patience).await
            }
        };
        match &mut had {
            None => None,
            Some(Ok(None)) => refused(traced, "it is taken"),
            Some(Err(error)) => refused(traced, &error.kind().to_string()),
            Some(Ok(guard)) => {
                let guard = guard.take().map(Arc::new)?;
                Some(self.had(traced, guard, wish))
            }
        }
    }

    /// A guard was had: from now on it is looked at.
    fn had(&self, mut traced: Traced, guard: Arc<Guard>, wish: Wish) -> Held {
        traced.granted(guard.hold().token());
        let call = self.recorder.now();
        traced.saw(guard.hold().state(), call);
        self.lookout.hold(traced.claim(), &guard);
        Held {
            traced,
            guard,
            wish,
        }
    }

    /// What comes of a request; nothing when it was dropped.
    async fn have<G: From<Hold> + Into<Guard>>(
        &mut self,
        request: Result<Request<G>>,
        patience: Patience,
    ) -> Option<Result<Option<Guard>>> {
        let request = match request {
            Ok(request) => request.value(self.recorder.number()),
            Err(error) => return Some(Err(error)),
        };
        let request = match (patience, self.rng.u8(..6)) {
            (Patience::Endless, _) | (_, 1..) => request,
            _ => request.hold_at_most(self.claiming.hold.mul_f64(self.rng.f64()) / 2 + MOMENT),
        };
        let had = match patience {
            Patience::None => request.try_acquire().await,
            Patience::Within(wait) => request
                .wait_at_most(wait + MOMENT)
                .acquire()
                .await
                .map(Some),
            Patience::Dropped(wait) => timeout(wait, request.acquire()).await.ok()?.map(Some),
            Patience::Endless => request.acquire().await.map(Some),
        };
        Some(had.map(|had| had.map(Into::into)))
    }
}

/// Something, where a bound of nothing is refused.
const MOMENT: Duration = Duration::from_millis(1);

fn refused(traced: Traced, why: &str) -> Option<Held> {
    let call = traced.called();
    traced.ends(ClaimDid::Refused(why.to_owned()), call);
    None
}
