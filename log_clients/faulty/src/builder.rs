//! The settings of a faulty log.
//!
//! Nothing here runs once it is built.

use std::fmt;
use std::sync::Arc;

use globe_log_client::LogClient;

use crate::dice::Chance;
use crate::fault::Fault;
use crate::faults::Faults;
use crate::faulty_log::FaultyLog;
use crate::ledger::Ledger;
use crate::operator::Operator;

/// How one is made.
impl FaultyLog {
    /// A log around `inner` on which everything goes wrong that [`Faults::legal`] names, drawn from `seed`. Nobody
    /// compacts or restores it: for that there is [`FaultyLogBuilder::operator`].
    #[must_use]
    pub fn new(inner: impl LogClient, seed: u64) -> FaultyLog {
        FaultyLog::builder(inner).seed(seed).build()
    }

    /// A log around `inner` that differs from the default. `inner` is any log: one in the process, one of a real
    /// cluster, or another faulty one.
    pub fn builder(inner: impl LogClient) -> FaultyLogBuilder {
        FaultyLogBuilder::new(Arc::new(inner))
    }
}

/// Builds a [`FaultyLog`]: which faults, from which seed, with which operator. Nothing is checked, and nothing can
/// fail.
///
/// ```
/// use globe_faulty::{Fault, Faults, FaultyLog};
/// use globe_memory::MemoryLog;
///
/// let memory = MemoryLog::new();
/// let log = FaultyLog::builder(memory.clone())
///     .operator(memory) // compacts, makes backups and restores
///     .seed(7)
///     .faults(Faults::none().with(Fault::Compact, 0.1))
///     .on_fault(|fault| eprintln!("now: {fault}"))
///     .build();
/// assert_eq!(log.injected().len(), 0);
/// ```
#[must_use]
pub struct FaultyLogBuilder {
    inner: Arc<dyn LogClient>,
    operator: Option<Arc<dyn Operator>>,
    seed: u64,
    faults: Faults,
    listener: Option<Box<dyn Fn(Fault) + Send + Sync>>,
}

impl FaultyLogBuilder {
    fn new(inner: Arc<dyn LogClient>) -> FaultyLogBuilder {
        FaultyLogBuilder {
            inner,
            operator: None,
            seed: 0,
            faults: Faults::default(),
            listener: None,
        }
    }

    /// What every decision is drawn from; 0 if not set. Each call, tail and snapshot has numbers of its own, drawn from
    /// it in the order they begin: the same program on a paused clock, in one thread, sees the same faults.
    pub fn seed(mut self, seed: u64) -> FaultyLogBuilder {
        self.seed = seed;
        self
    }

    /// What goes wrong, and how often; [`Faults::legal`] if not set.
    pub fn faults(mut self, faults: Faults) -> FaultyLogBuilder {
        self.faults = faults;
        self
    }

    /// Who compacts and restores the log; without one nobody does. It acts after a commit, with the chances of
    /// [`Fault::Compact`], [`Fault::Backup`] and [`Fault::Restore`].
    pub fn operator(mut self, operator: impl Operator) -> FaultyLogBuilder {
        self.operator = Some(Arc::new(operator));
        self
    }

    /// Is called with each fault when it happens, in the middle of a call: it must return at once.
    /// [`FaultyLog::injected`] counts them without.
    pub fn on_fault(mut self, listener: impl Fn(Fault) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// The log. It needs a tokio runtime when it is used, with its time driver.
    #[must_use]
    pub fn build(self) -> FaultyLog {
        let chance = Chance::new(self.seed, self.faults, Ledger::telling(self.listener));
        FaultyLog::of(self.inner, self.operator, chance)
    }
}

impl fmt::Debug for FaultyLogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyLogBuilder")
            .field("inner", &self.inner)
            .field("seed", &self.seed)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
