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
    /// A log around `inner` on which everything goes wrong that the contract allows, drawn from `seed`.
    #[must_use]
    pub fn new(inner: impl LogClient, seed: u64) -> FaultyLog {
        FaultyLog::builder(inner).seed(seed).build()
    }

    /// A log around `inner` that differs from the default.
    pub fn builder(inner: impl LogClient) -> FaultyLogBuilder {
        FaultyLogBuilder::new(Arc::new(inner))
    }
}

/// Builds a [`FaultyLog`].
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

    /// What every decision is drawn from; 0 if not set.
    pub fn seed(mut self, seed: u64) -> FaultyLogBuilder {
        self.seed = seed;
        self
    }

    /// What goes wrong, and how often; [`Faults::legal`] if not set.
    pub fn faults(mut self, faults: Faults) -> FaultyLogBuilder {
        self.faults = faults;
        self
    }

    /// Who compacts and restores the log. Without one, nobody does.
    pub fn operator(mut self, operator: impl Operator) -> FaultyLogBuilder {
        self.operator = Some(Arc::new(operator));
        self
    }

    /// Hears of each fault when it happens. It is called in the middle of a call: it must return at once.
    pub fn on_fault(mut self, listener: impl Fn(Fault) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// The log.
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
