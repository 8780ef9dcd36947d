//! Asks a service, whichever of its members: by a picker, which hears of what failed.
//!
//! Never asks twice what may not be done twice: only what is safe to repeat goes by it.

use std::time::Duration;

use globe::Registry;
use globe::registry::{Pick, Picker};
use globe_stage::{Answer, Caller};
use tokio::time::timeout;

use crate::address::Address;

/// How many members are tried.
const TRIES: usize = 3;
const BOUND: Duration = Duration::from_secs(5);
/// How long it is waited for anybody to be there: whoever starts at the same time may not be yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks a service.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    picker: Picker<Address>,
    caller: Caller,
}

impl Asker {
    pub(crate) fn new(registry: &Registry<Address>, service: &str) -> Asker {
        Asker {
            // Whoever has the fewest calls under way, of two that are drawn.
            picker: registry.picker(service, Pick::TwoChoices),
            caller: Caller::new(BOUND),
        }
    }

    /// What a member answered, and how many were tried in vain before it.
    pub(crate) async fn get(&self, path: &str) -> Option<(Answer, usize)> {
        timeout(PATIENCE, self.picker.ready()).await.ok()?.ok()?;
        for in_vain in 0..TRIES {
            // A call is under way as long as this is there.
            let target = self.picker.pick()?;
            let url = format!("{}{path}", target.data.url);
            match self.caller.get(&url).await {
                Ok(answer) if answer.status < 500 => return Some((answer, in_vain)),
                // It is set aside for a while, and another is picked.
                _ => target.failed(),
            }
        }
        None
    }
}
