//! What a seed stands for: which faults, how often, for whom.
//!
//! Only draws; nothing runs here.

use std::time::Duration;

use fastrand::Rng;
use globe::{Guard, LogClient};
use globe_faulty::{Fault, Faults};
use globe_oracle::{ClaimLimits, Claiming, Limits, Workload};

/// The storm of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) faults: Faults,
    /// The contract is broken.
    pub(crate) is_foul: bool,
    /// It is broken in a way that only a snapshot is certain to mend.
    pub(crate) needs_a_snapshot: bool,
    /// What the maps withhold for a while.
    pub(crate) guard: Guard,
    /// Claims are played beside the map's clients, which takes longer.
    pub(crate) has_claims: bool,
}

/// Less than a storm takes, so that it is over in some of them and put right in others.
const HOLD: Duration = Duration::from_millis(100);

/// Ways of breaking the contract that are always found in the end.
const FOUND: [Fault; 6] = [
    Fault::RepeatBatch,
    Fault::SwapBatches,
    Fault::LieProgress,
    Fault::MuteTail,
    Fault::StaleHead,
    Fault::OldSnapshot,
];

/// Ways of breaking it that nobody can find in a key that is never written again.
const HIDDEN: [Fault; 3] = [Fault::SkipBatch, Fault::HalveBatch, Fault::HoleInSnapshot];

impl Weather {
    /// Four in five seeds keep the contract, and one in five of those lets operators restore backups; the others break it.
    /// Of those that keep it, one in ten has claims, with and without restores.
    pub(crate) fn of(seed: u64) -> Weather {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let mut weather = Weather {
            seed,
            nodes: rng.usize(2..=4),
            faults: legal(&mut rng),
            is_foul: seed % 5 == 4,
            needs_a_snapshot: false,
            guard: match seed % 7 {
                2 | 6 => Guard::hold().share(0.4).new_epochs(true).at_most(HOLD),
                _ => Guard::follow(),
            },
            has_claims: matches!(seed % 20, 5 | 13),
        };
        if seed % 5 == 3 {
            weather.faults = weather
                .faults
                .with(Fault::Backup, 0.2)
                .with(Fault::Restore, 0.05);
        }
        if weather.is_foul {
            weather.break_something(&mut rng);
        }
        weather
    }

    fn break_something(&mut self, rng: &mut Rng) {
        self.needs_a_snapshot = rng.bool();
        let breaches: &[Fault] = if self.needs_a_snapshot {
            &HIDDEN
        } else {
            &FOUND
        };
        let first = rng.usize(..breaches.len());
        for breach in breaches.iter().cycle().skip(first).take(1 + rng.usize(..2)) {
            self.faults = self.faults.clone().with(*breach, 0.02 + 0.1 * rng.f64());
        }
    }

    /// What the nodes of a log of this weather do meanwhile.
    pub(crate) fn workload(&self, log: &dyn LogClient) -> Workload {
        Workload {
            fenced: log.capabilities().fenced,
            honest: !self.is_foul,
            limits: Limits {
                min_writes: 10,
                min_samples: 10,
                min_deliveries: 10,
                min_faults: 5,
                ..Limits::default()
            },
            ..Workload::light(self.seed)
        }
    }
}

impl Weather {
    /// The claims that are played meanwhile, if any are.
    pub(crate) fn claiming(&self) -> Claiming {
        let light = Claiming::light(self.seed);
        Claiming {
            claimants: usize::from(self.has_claims),
            limits: ClaimLimits {
                min_grants: 5,
                min_looks: 5,
                ..light.limits.clone()
            },
            ..light
        }
    }
}

/// What the contract allows, each seed in another mixture: half of the faults are left out, so that none always hides
/// behind another.
fn legal(rng: &mut Rng) -> Faults {
    let usual = Faults::legal();
    let mut faults = Faults::none()
        .with(Fault::Delay, 0.2)
        .delay(Duration::from_millis(rng.u64(1..200)))
        .silence(Duration::from_secs(3))
        .lateness(Duration::from_secs(4));
    for fault in Fault::ALL {
        let is_open = !fault.breaks_the_contract() && fault != Fault::Delay;
        if is_open && rng.bool() {
            faults = faults.with(fault, usual.chance(fault) * 3.0 * rng.f64());
        }
    }
    faults
}
