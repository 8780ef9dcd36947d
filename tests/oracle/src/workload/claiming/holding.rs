//! What a claimant does while it holds something, and how it leaves it.
//!
//! It does what is exclusive whether it holds or not: to refuse that is what fences are for.

use std::sync::Arc;

use globe::SessionState;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::claimant::Claimant;
use super::held::Held;
use super::presence::Presence;
use crate::history::{Action, ClaimDid, Event, Fenced, Outcome};
use crate::workload::client::{Underway, place};
use crate::workload::recording::outcome;

impl Claimant {
    /// Holds it for a while, and leaves it in some way.
    pub(crate) async fn hold(&mut self, presence: Presence, held: Held) -> Presence {
        let end = Instant::now() + self.claiming.hold.mul_f64(self.rng.f64());
        let closes = self.rng.u8(..16) == 0;
        while Instant::now() < end && !self.stop.is_cancelled() {
            match self.rng.u8(..10) {
                0..3 => self.write_under(&held).await,
                3..6 => self.use_resource(&held),
                6 => self.tell(&held).await,
                7 => self.doubt(&held).await,
                _ => {}
            }
            let pause = self.claiming.hold.mul_f64(self.rng.f64() / 4.0);
            sleep(pause).await;
            if matches!(held.guard.hold().state(), SessionState::Lost(_)) {
                break;
            }
        }
        if closes {
            // What is under way then may land only while the claim stands, and who does not look goes on.
            tokio::join!(presence.close(), self.write_under(&held));
            self.write_under(&held).await;
            let presence = self.open_again().await;
            self.use_resource(&held);
            self.leave(held).await;
            return presence;
        }
        self.leave(held).await;
        presence
    }

    /// Writes something that may land only while it is held.
    async fn write_under(&mut self, held: &Held) {
        let map = self.shop.guarded.clone();
        let key = held.wish.root.clone();
        let who = (self.number, self.shop.node);
        let nothing = Action::Transact {
            reads: Vec::new(),
            writes: Vec::new(),
        };
        let mut underway = Underway::begin(&self.recorder, &self.board, who, nothing);
        let patience = self.claiming.wait.mul_f64(self.rng.f64());
        let writing = map.transact(|txn| {
            txn.require(held.guard.hold())?;
            let value = underway.attempt();
            self.recorder.record(Event::Fenced(Fenced {
                claim: held.traced.claim(),
                tag: value.tag.clone(),
                at: self.recorder.now(),
            }));
            underway.does(Action::Transact {
                reads: Vec::new(),
                writes: vec![place(&map, key.as_str())],
            });
            txn.put(&map, key.as_str(), value)
        });
        let written = timeout(patience, writing).await;
        underway.ends(match written {
            Ok(written) => outcome(written.map(|it| Some(it.position()))),
            Err(_) => Outcome::Never,
        });
    }

    /// Does something at a resource outside of the log.
    fn use_resource(&self, held: &Held) {
        let life = self.shop.claims.view().position().epoch;
        let by = (held.traced.claim(), &*held.guard);
        let what = (held.wish.root.as_str(), held.wish.share);
        self.resources.effect(&self.recorder, by, what, life);
    }

    /// Tells others something else with it, which leaves its token.
    async fn tell(&mut self, held: &Held) {
        let patience = self.claiming.wait.mul_f64(self.rng.f64() / 4.0);
        let value = self.recorder.number().into();
        let _ = timeout(patience, held.guard.hold().set_value(value)).await;
    }

    /// Waits until it is not sure any more that it holds, and then until it is.
    async fn doubt(&mut self, held: &Held) {
        let patience = self.claiming.ttl.mul_f64(self.rng.f64());
        let (call, hold) = (held.traced.now(), held.guard.hold());
        let Ok(state) = timeout(patience, hold.unsure()).await else {
            return;
        };
        held.traced.saw(state, call);
        let call = held.traced.now();
        if let Ok(Ok(())) = timeout(patience * 2, hold.resumed()).await {
            held.traced.saw(SessionState::Live, call);
        }
    }

    /// Lets it go: by saying so, by dropping it, or by dropping that it says so.
    pub(crate) async fn leave(&mut self, held: Held) {
        let Held { traced, guard, .. } = held;
        self.lookout.forget(traced.claim());
        let call = traced.now();
        let Some(guard) = Arc::into_inner(guard) else {
            return traced.ends(ClaimDid::LetGo, call);
        };
        let patience = match self.rng.u8(..8) {
            0 | 1 => None,
            2 => Some(Duration::from_micros(self.rng.u64(..20_000))),
            _ => Some(self.claiming.wait * 10),
        };
        let released = match patience {
            None => {
                drop(guard);
                None
            }
            Some(patience) => timeout(patience, guard.release()).await.ok(),
        };
        let did = released.map_or(ClaimDid::LetGo, |it| ClaimDid::Released(it.is_ok()));
        traced.ends(did, call);
    }
}
