//! Calls of the gateway, and who answered how often.
//!
//! Never calls twice what was not answered: that counts.

use std::collections::BTreeMap;
use std::fmt;

use globe::registry::Picker;
use globe_stage::{Caller, Outcome};
use serde_json::Value;

use crate::address::Address;

/// The two ways in which the gateway finds who greets.
pub(crate) const WAYS: [&str; 2] = ["hello", "balanced"];

/// Whoever calls the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) gateway: Picker<Address>,
    pub(crate) caller: Caller,
}

/// Who answered how often.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) by: BTreeMap<String, usize>,
    pub(crate) failed: usize,
    pub(crate) in_vain: u64,
}

impl Guest {
    pub(crate) async fn call(&self, path: &str) -> Outcome<Value> {
        let gateway = self.gateway.pick().ok_or("there is no gateway")?;
        let answer = self
            .caller
            .get(&format!("{}/{path}", gateway.data.url))
            .await?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(format!("{path} was answered with {status}").into()),
        }
    }

    /// Calls so often by a way, one call after the other.
    pub(crate) async fn calls(&self, way: &str, calls: usize) -> Tally {
        let mut tally = Tally::default();
        for number in 0..calls {
            tally.count(self.call(&format!("{way}/{number}")).await);
        }
        tally
    }
}

impl Tally {
    pub(crate) fn count(&mut self, answer: Outcome<Value>) {
        let Ok(answer) = answer else {
            self.failed += 1;
            return;
        };
        let by = answer["by"].as_str().unwrap_or_default();
        *self.by.entry(by.to_owned()).or_default() += 1;
        self.in_vain += answer["tried_in_vain"].as_u64().unwrap_or_default();
    }

    pub(crate) fn of(&self, member: &str) -> usize {
        self.by.get(member).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.iter().map(|(who, calls)| format!("{who} {calls}"));
        f.write_str(&by.collect::<Vec<_>>().join(", "))?;
        match self.failed {
            0 => Ok(()),
            failed => write!(f, ", NOBODY {failed}"),
        }
    }
}
