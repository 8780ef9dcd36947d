//! Where every decision is drawn: one stream of numbers for each call, tail and snapshot, all from one seed.
//!
//! Never asks a clock or the system for a number.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;

use crate::fault::Fault;
use crate::faults::Faults;
use crate::ledger::Ledger;

/// The seed, and the faults that are on now.
pub(crate) struct Chance {
    root: Mutex<Rng>,
    faults: Mutex<Faults>,
    pub(crate) ledger: Ledger,
}

impl Chance {
    pub(crate) fn new(seed: u64, faults: Faults, ledger: Ledger) -> Arc<Chance> {
        Arc::new(Chance {
            root: Mutex::new(Rng::with_seed(seed)),
            faults: Mutex::new(faults),
            ledger,
        })
    }

    /// The numbers of one call, tail or snapshot: what others draw meanwhile does not change them.
    pub(crate) fn dice(self: &Arc<Chance>) -> Dice {
        let mut root = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        Dice {
            rng: root.fork(),
            chance: Arc::clone(self),
        }
    }

    pub(crate) fn set(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    pub(crate) fn faults<T>(&self, ask: impl FnOnce(&Faults) -> T) -> T {
        ask(&self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One stream of decisions.
pub(crate) struct Dice {
    rng: Rng,
    chance: Arc<Chance>,
}

impl Dice {
    /// Whether a fault happens now; if it does, it is counted.
    pub(crate) fn hits(&mut self, fault: Fault) -> bool {
        let chance = self.chance.faults(|faults| faults.chance(fault));
        let hit = chance > 0.0 && self.rng.f64() < chance;
        if hit {
            self.chance.ledger.note(fault);
        }
        hit
    }

    /// Whether a fault can happen at all now.
    pub(crate) fn is_on(&self, fault: Fault) -> bool {
        self.chance.faults(|faults| faults.chance(fault)) > 0.0
    }

    /// A number below `end`, or 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.rng.usize(0..end.max(1))
    }

    /// A part of a duration: often a small one.
    pub(crate) fn part_of(&mut self, longest: Duration) -> Duration {
        let part = self.rng.f64();
        longest.mul_f64(part * part)
    }

    /// Waits, if [`Fault::Delay`] happens now.
    pub(crate) async fn delay(&mut self) {
        if let Some(delay) = self.late() {
            tokio::time::sleep(delay).await;
        }
    }

    /// How long to wait, if [`Fault::Delay`] happens now.
    pub(crate) fn late(&mut self) -> Option<Duration> {
        self.hits(Fault::Delay).then(|| self.delay_time())
    }

    pub(crate) fn delay_time(&mut self) -> Duration {
        let longest = self.chance.faults(|faults| faults.delay);
        self.part_of(longest)
    }

    /// Waits for as long as an answer that never comes is waited for.
    pub(crate) async fn silence(&mut self) {
        let silence = self.silence_time();
        tokio::time::sleep(silence).await;
    }

    pub(crate) fn silence_time(&mut self) -> Duration {
        let longest = self.chance.faults(|faults| faults.silence);
        self.part_of(longest)
    }

    pub(crate) fn lateness(&mut self) -> Duration {
        let longest = self.chance.faults(|faults| faults.lateness);
        self.part_of(longest)
    }
}
