//! How a member of a shard table takes its steps: what it serves, how long it takes, what it refuses.
//!
//! It looks at what it owns, and believes nothing else.

use std::collections::BTreeMap;

use fastrand::Rng;
use globe::Fenced;
use globe::shards::{OwnedShard, Step, Worker};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::life::Life;
use crate::history::{At, Event, ShardDid, ShardStep};

/// The longest that a member takes to prepare or to stop, where it takes its time.
const SLOW: Duration = Duration::from_millis(400);
/// How long one lets others wait who never says that it has prepared: longer than it is waited for.
const NEVER: Duration = Duration::from_secs(5);

/// A shard that is served, from when that was told until it is looked at and is held no more, or is to stop. Dropped, it is served
/// no more, and that is written down.
pub(crate) struct Served {
    life: Life,
    owned: OwnedShard,
    from: At,
    to: At,
}

impl Served {
    pub(crate) fn begins(life: &Life, owned: OwnedShard) -> Served {
        let from = life.now();
        Served {
            life: life.clone(),
            owned,
            from,
            to: from,
        }
    }

    /// Whether it is still owned, without a break.
    pub(crate) fn look(&mut self) -> bool {
        let now = self.life.now();
        let is_held = self.owned.is_held();
        if is_held {
            self.to = now;
        }
        is_held
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let stopped = self.life.now();
        self.life.recorder.record(Event::ShardStep(ShardStep {
            life: self.life.number,
            shard: self.owned.shard(),
            token: self.owned.token(),
            did: ShardDid::Served(stopped),
            call: self.from,
            ret: self.to,
        }));
    }
}

/// Who takes the steps of one worker.
pub(crate) struct Server {
    life: Life,
    served: BTreeMap<u32, Served>,
    /// What is done later.
    due: Vec<(Instant, Step)>,
    look_rest: Duration,
    rng: Rng,
    /// From then on it does at once what it is told.
    calm: CancellationToken,
}

impl Server {
    pub(crate) fn new(
        life: &Life,
        look_rest: Duration,
        rng: Rng,
        calm: CancellationToken,
    ) -> Server {
        Server {
            life: life.clone(),
            served: BTreeMap::new(),
            due: Vec::new(),
            look_rest,
            rng,
            calm,
        }
    }

    /// Takes steps until there are no more.
    pub(crate) async fn serve(mut self, mut worker: Worker) {
        let mut next_look = Instant::now();
        loop {
            let due = self.due.iter().map(|(at, _)| *at).min();
            let wake = due.map_or(next_look, |due| due.min(next_look));
            tokio::select! {
                biased;
                step = worker.next() => match step {
                    Some(step) => self.take(step),
                    None => return,
                },
                () = sleep_until(wake) => {}
            }
            let now = Instant::now();
            let (late, due) = self.due.drain(..).partition(|(at, _)| *at <= now);
            self.due = due;
            let late: Vec<_> = late;
            late.into_iter().for_each(|(_, step)| self.finish(step));
            if now >= next_look {
                self.served.retain(|_, served| served.look());
                next_look = now + self.look_rest.mul_f64(0.5 + self.rng.f64());
            }
        }
    }

    fn take(&mut self, step: Step) {
        let dice = match self.calm.is_cancelled() {
            true => 9,
            false => self.rng.u8(..10),
        };
        let soon = Instant::now() + SLOW.mul_f64(self.rng.f64());
        match (step, dice) {
            (Step::Prepare(step), 0) => drop(step.refuse("by chance")),
            // Dropped, to prepare is refused, and to drain is told again.
            (Step::Prepare(_) | Step::Drain(_), 1) => {}
            (step @ Step::Prepare(_), 2) => self.due.push((Instant::now() + NEVER, step)),
            (step @ (Step::Prepare(_) | Step::Drain(_)), 3..7) => self.due.push((soon, step)),
            (step, _) => self.finish(step),
        }
    }

    fn finish(&mut self, step: Step) {
        match step {
            Step::Prepare(step) => drop(step.done()),
            Step::Own(shard) => {
                let served = Served::begins(&self.life, shard.clone());
                self.served.insert(shard.shard(), served);
            }
            Step::Drain(step) => {
                self.stop(step.shard());
                drop(step.done());
            }
            Step::Drop(step) => self.stop(step.shard()),
            _ => {}
        }
    }

    /// Serves it no more; it was looked at once more before.
    fn stop(&mut self, shard: u32) {
        if let Some(mut served) = self.served.remove(&shard) {
            served.look();
        }
    }
}

/// Serves one shard, in the closure that is run for it: it returns when it is to stop, or sooner.
pub(crate) async fn serve_one(
    life: Life,
    owned: OwnedShard,
    look_rest: Duration,
    (soon, flush): (bool, Duration),
) {
    let mut served = Served::begins(&life, owned.clone());
    let mut looks = 0;
    while served.look() {
        looks += 1;
        if soon && looks > 10 {
            // It is run again.
            return;
        }
        tokio::select! {
            biased;
            () = owned.draining() => {
                tokio::time::sleep(flush).await;
                served.look();
                return;
            }
            () = tokio::time::sleep(look_rest) => {}
        }
    }
    drop(served);
    // It is held no more: whoever runs this drops it.
    owned.lost().await;
}
