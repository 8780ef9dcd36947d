//! Settings in storms: processes on faulty ways to one log publish, undo, roll out and write by hand, some of it nonsense; when
//! the storm is over all agree with one that comes only then.
//!
//! `GLOBE_SEEDS=1000` makes it more, `GLOBE_SEED=7` replays one.

use fastrand::Rng;
use futures::future::join_all;
use globe::settings::Setting;
use globe::{MemoryLog, Settings};
use globe_faulty::{Faults, FaultyLog};
use tokio::time::{Instant, sleep, timeout};

use crate::rig::{until, within};
use crate::{SECOND, a_while, limit, put, settings};

const STORM: std::time::Duration = std::time::Duration::from_secs(60);

struct Process {
    log: FaultyLog,
    limit: Setting<u64>,
    rng: Rng,
}

async fn process(log: &MemoryLog, seed: u64, number: u64) -> Process {
    let way = FaultyLog::new(log.clone(), seed * 10 + number);
    way.set_faults(Faults::none());
    let opening = Settings::open(
        way.clone(),
        crate::SPACE,
        crate::scope(&format!("web-{number}")),
    );
    let limit = limit(&within("settings are opened", opening).await.unwrap());
    way.set_faults(Faults::legal());
    Process {
        log: way,
        limit,
        rng: Rng::with_seed(seed * 100 + number),
    }
}

impl Process {
    async fn act(&mut self, hand: &MemoryLog) -> bool {
        let value = self.rng.u64(..1_000);
        let layer = ["global", "region:eu"][self.rng.usize(..2)];
        let bound = SECOND * self.rng.u32(1..8);
        let acting = async {
            match self.rng.u32(..10) {
                0..4 => self.limit.publish(layer, value).await.map(drop),
                4 => self.limit.undo(layer, 1).await.map(drop),
                5 => self.limit.clear(layer).await.map(drop),
                6 => self
                    .limit
                    .rollout(layer, value)
                    .percent(50)
                    .start()
                    .await
                    .map(drop),
                7 => match self.limit.staged(layer)? {
                    Some(staged) => staged.finish().await.map(drop),
                    None => Ok(()),
                },
                8 => {
                    put(hand, layer, &value.to_string()).await;
                    Ok(())
                }
                _ => {
                    put(hand, layer, ["nonsense", "1001", "{}"][self.rng.usize(..3)]).await;
                    Ok(())
                }
            }
        };
        timeout(bound, acting)
            .await
            .is_ok_and(|done: globe::Result<()>| done.is_ok())
    }
}

async fn storm(seed: u64) -> usize {
    let log = MemoryLog::new();
    let mut all = Vec::new();
    for number in 0..3 {
        all.push(process(&log, seed, number).await);
    }
    let end = Instant::now() + STORM;
    let acting = all.iter_mut().map(|process| async {
        let mut done = 0;
        while Instant::now() < end {
            done += usize::from(process.act(&log).await);
            sleep(SECOND * process.rng.u32(..4)).await;
        }
        done
    });
    let done: usize = join_all(acting).await.into_iter().sum();
    for process in &all {
        process.log.heal();
    }
    // What is still under way arrives, and what was put by hand is in the history.
    sleep(SECOND * 60).await;
    a_while().await;
    for process in &all {
        let instance = process.limit.explain().instance;
        let late = limit(&settings(&log, &instance).await);
        let (early, late) = (&process.limit, &late);
        let what = format!(
            "seed {seed}: {instance} shows {}, and {}",
            *early.get(),
            *late.get()
        );
        until(&what, || {
            *early.get() == *late.get() && early.get().source() == late.get().source()
        })
        .await;
        assert!(*early.get() <= 1_000);
        for layer in ["global", "region:eu"] {
            assert_eq!(
                crate::history(early, layer),
                crate::history(late, layer),
                "seed {seed}"
            );
            assert!(crate::history(early, layer).len() <= 12, "seed {seed}");
        }
    }
    done
}

#[test]
fn in_no_storm_do_processes_disagree_in_the_end() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("GLOBE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GLOBE_SEEDS").unwrap_or(24),
    };
    let mut done = 0;
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        fastrand::seed(seed);
        done += runtime.block_on(storm(seed));
    }
    assert!(done > 20, "{done} changes: that says nothing");
}
