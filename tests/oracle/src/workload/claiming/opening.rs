//! How a claimant opens its sessions, ends them, and keeps entries that stand as long as they do.
//!
//! It never looks whether they stand.

use std::sync::Arc;

use globe::{Result, Session};
use tokio::time::timeout;

use super::PRESENT;
use super::claimant::Claimant;
use super::presence::Presence;
use crate::history::{EntryStep, Event, Outcome, Place, Value};
use crate::workload::recording::outcome;

impl Claimant {
    /// Opens a session.
    pub(crate) async fn open(&self) -> Result<Presence> {
        let (number, call) = (self.recorder.number(), self.recorder.now());
        let session = Session::builder(Arc::clone(&self.shop.log))
            .name(format!("s{number}"))
            .ttl(self.claiming.ttl)
            .open_timeout(self.claiming.open_timeout);
        let of = (number, self.shop.node);
        Ok(Presence::of(session.open().await?, of, &self.lookout, call))
    }

    /// Ends a session in some way, and opens another one.
    pub(crate) async fn begin_anew(&mut self, presence: Presence) -> Presence {
        if self.rng.bool() {
            presence.close().await;
        } else {
            drop(presence);
        }
        self.open_again().await
    }

    /// Opens a session, however long that takes.
    pub(crate) async fn open_again(&self) -> Presence {
        loop {
            if let Ok(presence) = self.open().await {
                return presence;
            }
        }
    }

    /// Writes an entry under its session, or deletes one.
    pub(crate) async fn keep_entry(&mut self, presence: &mut Presence) {
        let map = &self.shop.present;
        let patience = self.claiming.wait.mul_f64(self.rng.f64());
        let call = self.recorder.now();
        let is_put = presence.keys.is_empty() || self.rng.u8(..3) > 0;
        let (key, returned) = if is_put {
            let key = format!("s{}-{}", presence.number, presence.count);
            presence.count += 1;
            let value = Value {
                tag: key.clone(),
                ..Value::default()
            };
            let put = map.put_ephemeral(&presence.session, key.as_str(), value);
            let put = timeout(patience, put).await;
            presence.keys.push(key.clone());
            (key, put.map(|put| put.map(|put| Some(put.position()))))
        } else {
            let key = presence.keys.remove(self.rng.usize(..presence.keys.len()));
            let deleted = timeout(patience, map.delete(&key)).await;
            (key, deleted.map(|deleted| deleted.map(|_| None)))
        };
        let (outcome, ret) = match returned {
            Ok(returned) => (outcome(returned), Some(self.recorder.now())),
            Err(_) => (Outcome::Never, None),
        };
        self.recorder.record(Event::EntryStep(EntryStep {
            session: presence.number,
            place: Place {
                keyspace: PRESENT.to_owned(),
                key,
            },
            is_put,
            call,
            ret,
            outcome,
        }));
    }
}
