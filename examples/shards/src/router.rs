//! Asks the owner of a key, whoever that is by now.
//!
//! Never gives up while there is time: a shard that moves, or whose owner died, is served again soon.

use std::time::Duration;

use globe::Shards;
use globe_stage::{Answer, Caller, Outcome};
use tokio::time::timeout;

/// After what time it is asked again though the table has not changed: an owner may not have heard yet that it is one.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Clone, Debug)]
pub(crate) struct Router {
    pub(crate) shards: Shards,
    pub(crate) caller: Caller,
}

impl Router {
    /// The answer of who owns the key, and how often somebody was asked in vain. Has no bound of its own.
    pub(crate) async fn order(&self, key: &str) -> (Answer, usize) {
        let mut in_vain = 0;
        loop {
            let table = self.shards.table();
            if let Some(owner) = table.owner_of(key)
                && let Ok(answer) = self.ask(owner.member().data().as_str(), key).await
                && answer.status == 200
            {
                return (answer, in_vain);
            }
            in_vain += 1;
            let changed = self.shards.changed(table.position());
            let _ = timeout(AGAIN, changed).await;
        }
    }

    async fn ask(&self, address: Option<&str>, key: &str) -> Outcome<Answer> {
        let address = address.ok_or("the worker does not say where it listens")?;
        self.caller.get(&format!("{address}/orders/{key}")).await
    }
}
