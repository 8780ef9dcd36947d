//! Requests that come all the time, whatever happens.
//!
//! Never lets one go: each is asked until it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use globe::{Gate, Token};
use globe_stage::Outcome;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::router::Router;

/// How many ask at the same time.
const CALLERS: usize = 16;
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    answered: AtomicU64,
    in_vain: AtomicU64,
    /// The longest that anybody waited, in milliseconds.
    longest: AtomicU64,
    stop: AtomicBool,
}

/// Those who ask.
pub(crate) type Callers = JoinSet<Outcome>;

impl Traffic {
    /// Begins.
    pub(crate) fn start(router: &Router) -> (Arc<Traffic>, Callers) {
        let traffic = Arc::new(Traffic::default());
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (traffic, router) = (Arc::clone(&traffic), router.clone());
            callers.spawn(async move { traffic.ask(caller, &router).await });
        }
        (traffic, callers)
    }

    /// One who asks for one order after the other. What a former owner answers is never seen after an answer of a later one.
    async fn ask(&self, caller: usize, router: &Router) -> Outcome {
        let mut gates: BTreeMap<u64, Gate> = BTreeMap::new();
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            number += 1;
            let began = Instant::now();
            let (answer, in_vain) = router.order(&format!("order-{caller}-{number}")).await;
            let waited = u64::try_from(began.elapsed().as_millis())?;
            let token: Token = serde_json::from_value(answer.body["token"].clone())?;
            let shard = answer.body["shard"].as_u64().unwrap_or_default();
            gates.entry(shard).or_default().admit(token)?;
            self.answered.fetch_add(1, Ordering::Relaxed);
            self.in_vain.fetch_add(in_vain as u64, Ordering::Relaxed);
            self.longest.fetch_max(waited, Ordering::Relaxed);
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// How many requests were answered since the last call, how often somebody was asked in vain, and the longest wait.
    pub(crate) fn seen(&self) -> (u64, u64, Duration) {
        let taken = [&self.answered, &self.in_vain, &self.longest]
            .map(|count| count.swap(0, Ordering::Relaxed));
        (taken[0], taken[1], Duration::from_millis(taken[2]))
    }

    /// Ends, when all that was asked is answered.
    pub(crate) async fn end(&self, mut callers: Callers) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = callers.join_next().await {
            ended??;
        }
        Ok(())
    }
}
