//! What went wrong so far.
//!
//! It only counts and tells: nothing is decided here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::fault::Fault;

type Listener = Box<dyn Fn(Fault) + Send + Sync>;

/// The faults that were injected, and who hears of them.
#[derive(Default)]
pub(crate) struct Ledger {
    counts: Mutex<BTreeMap<Fault, u64>>,
    listener: Option<Listener>,
}

impl Ledger {
    pub(crate) fn telling(listener: Option<Listener>) -> Ledger {
        Ledger {
            counts: Mutex::default(),
            listener,
        }
    }

    pub(crate) fn note(&self, fault: Fault) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(fault).or_default() += 1;
        drop(counts);
        if let Some(listener) = &self.listener {
            listener(fault);
        }
    }

    pub(crate) fn counts(&self) -> BTreeMap<Fault, u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}
