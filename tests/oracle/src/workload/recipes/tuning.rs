//! Who publishes a setting, rolls it out, undoes it, and writes by hand over it, some of it nonsense; and looks at it.
//!
//! It judges nothing: what is no value is published on purpose.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use globe::log_client::Transaction;
use globe::settings::{Scope, Setting};
use globe::{Guard, Keyspace, Result, Settings};
use tokio::time::{sleep, timeout};

use super::{Stage, TUNING};
use crate::history::{At, Event, Outcome, SettingDid, SettingStep};
use crate::workload::recording::outcome;

/// What it is called.
pub(crate) const LIMIT: &str = "limit";
/// The regions of the nodes, by turns.
const REGIONS: [&str; 2] = ["region:eu", "region:us"];

/// Only even numbers are values.
pub(crate) fn is_good(value: u64) -> bool {
    value.is_multiple_of(2)
}

fn check(value: &u64) -> std::result::Result<(), String> {
    match is_good(*value) {
        true => Ok(()),
        false => Err("it is odd".to_owned()),
    }
}

/// The setting, on one node.
#[derive(Clone)]
pub(crate) struct Tuner {
    stage: Stage,
    limit: Setting<u64>,
    last: Arc<Mutex<Option<u64>>>,
}

impl Tuner {
    pub(crate) async fn open(stage: &Stage) -> Result<Tuner> {
        let call = stage.recorder.now();
        let (kind, region) = REGIONS[stage.node as usize % REGIONS.len()]
            .split_once(':')
            .unwrap_or_default();
        let name = format!("n{}", stage.node);
        let scope = Scope::new(name.as_str()).layer(kind, region);
        let layers = scope.layers();
        // A log that was wiped is withheld, and for no longer than it takes to be seen in the end.
        let guard = Guard::hold().at_most(Duration::from_secs(1));
        let settings = Settings::builder(Arc::clone(&stage.log), TUNING, scope).by(name.as_str());
        let settings = settings.guard(guard).open().await?;
        let limit = settings.declare(LIMIT, 0).check(check).open()?;
        let tuner = Tuner {
            stage: stage.clone(),
            limit,
            last: Arc::default(),
        };
        tuner.did(SettingDid::Opened(layers, name), call);
        Ok(tuner)
    }

    fn did(&self, did: SettingDid, call: At) {
        self.stage.recorder.record(Event::SettingStep(SettingStep {
            node: self.stage.node,
            did,
            call,
            ret: self.stage.recorder.now(),
        }));
    }

    pub(crate) async fn run(self, mut rng: Rng) {
        let played = self.stage.playing();
        let look = async {
            while !self.stage.over.is_cancelled() {
                self.look();
                sleep(self.stage.recipes.look_rest).await;
            }
        };
        let act = async {
            for _ in 0..self.stage.recipes.lives.saturating_mul(3) {
                if self.stage.stop.is_cancelled() {
                    break;
                }
                let patience = self.stage.recipes.ttl.mul_f64(rng.f64() * 2.0);
                let _ = timeout(patience, self.act(&mut rng)).await;
                self.stage.rests(&mut rng).await;
            }
            drop(played);
        };
        tokio::join!(look, act);
    }

    /// Looks at it, and writes down what is new.
    fn look(&self) {
        let call = self.stage.recorder.now();
        let value = *self.limit.get();
        if self.is_new(value) {
            self.did(SettingDid::Shown(value), call);
        }
    }

    fn is_new(&self, value: u64) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.replace(value) != Some(value)
    }

    /// Whether it shows another value than when it was looked at.
    pub(crate) fn has_moved(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last != Some(*self.limit.get())
    }

    pub(crate) fn last(&self) {
        let call = self.stage.recorder.now();
        self.did(SettingDid::Last(*self.limit.get()), call);
    }

    /// Does one thing, at some layer. Each value is new.
    async fn act(&self, rng: &mut Rng) -> Result<()> {
        let host = format!("host:n{}", self.stage.node);
        let layers = ["global", "global", REGIONS[0], REGIONS[1], host.as_str()];
        let layer = layers[rng.usize(..layers.len())];
        let value = u64::from(self.stage.recorder.number()) * 2;
        match rng.u8(..20) {
            0..7 => self.publish(layer, value).await,
            7 => self.publish(layer, value + 1).await,
            8 | 9 => drop(self.limit.undo(layer, 1).await?),
            10 => drop(self.limit.clear(layer).await?),
            11 | 12 => {
                let rollout = self.limit.rollout(layer, value);
                let percent = [0, 100][rng.usize(..2)];
                let rollout = match rng.u8(..3) {
                    0 => rollout.only("region", "eu"),
                    _ => rollout,
                };
                drop(rollout.percent(percent).start().await?);
            }
            13..16 => {
                let Some(staged) = self.limit.staged(layer)? else {
                    return Ok(());
                };
                match rng.u8(..3) {
                    0 => drop(staged.advance(100).await?),
                    1 => drop(staged.finish().await?),
                    _ => drop(staged.abort().await?),
                }
            }
            16 | 17 => self.by_hand(layer, Some(value.to_string())).await?,
            18 => {
                let odd = (value + 1).to_string();
                let nonsense = [odd.as_str(), "nonsense", "{}"][rng.usize(..3)];
                self.by_hand(layer, Some(nonsense.to_owned())).await?;
            }
            _ => self.by_hand(layer, None).await?,
        }
        Ok(())
    }

    async fn publish(&self, layer: &str, value: u64) {
        let call = self.stage.recorder.now();
        let mut publishing = Publishing {
            tuner: self,
            layer,
            value,
            call,
            outcome: Outcome::Never,
        };
        let published = self.limit.publish(layer, value).await;
        publishing.outcome = outcome(published.map(Some));
    }

    /// Without Globe: whatever stands there.
    async fn by_hand(&self, layer: &str, value: Option<String>) -> Result<()> {
        let keyspace = Keyspace::new(TUNING)?;
        let key = format!("{LIMIT}/{layer}");
        let transaction = match value {
            Some(value) => Transaction::new().put(&keyspace, key, value),
            None => Transaction::new().delete(&keyspace, key),
        };
        self.stage.log.commit(transaction).await.map(drop)
    }
}

/// A value that is published. Dropped, it has been, or was given up; and what is shown then is written down.
struct Publishing<'a> {
    tuner: &'a Tuner,
    layer: &'a str,
    value: u64,
    call: At,
    outcome: Outcome,
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        let did = SettingDid::Published {
            layer: self.layer.to_owned(),
            value: self.value,
            outcome: std::mem::replace(&mut self.outcome, Outcome::Never),
            shown: *self.tuner.limit.get(),
        };
        self.tuner.did(did, self.call);
    }
}
