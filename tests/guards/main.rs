//! Steps that take nearly everything away: what a guarded map shows meanwhile, what it says of that, and how it ends.
//!
//! On a paused clock: what takes time is over when nothing else happens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod callers;
mod lives;
#[path = "../rig/mod.rs"]
mod rig;
mod steps;

use std::time::Duration;

use globe::log_client::Transaction;
use globe::{Builder, Globe, Guard, LogClient, MemoryLog, Position, Withheld, WithheldWatch};
use rig::{Around, keyspace, within, write_many};

const SECOND: Duration = Duration::from_secs(1);

type Numbers = Globe<String, u64>;
type Alerts = WithheldWatch<String, u64>;

const KEYS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// Half a minute, which is less than a test waits for anything.
fn hold() -> Guard {
    Guard::hold().at_most(30 * SECOND)
}

fn guarded(log: &(impl LogClient + Clone), guard: Guard) -> Builder<String, u64> {
    Globe::builder(log.clone(), "numbers").guard(guard)
}

async fn opened(builder: Builder<String, u64>) -> Numbers {
    within("a map is opened", builder.open()).await.unwrap()
}

/// Ten entries in one commit.
async fn fill(log: &impl LogClient, value: u64) -> Position {
    let entries = KEYS.map(|key| (key.to_owned(), value.to_string()));
    write_many(log, "numbers", entries).await
}

/// What somebody else does, in one commit.
async fn delete(log: &impl LogClient, keys: &[&'static str]) -> Position {
    let space = keyspace("numbers");
    let none = Transaction::new();
    let delete = keys
        .iter()
        .fold(none, |write, key| write.delete(&space, *key));
    log.commit(delete).await.unwrap()
}

/// A log of ten entries, a guarded map of it, and a watch of what that withholds.
async fn fresh(guard: Guard) -> (MemoryLog, Around, Numbers, Alerts) {
    let log = MemoryLog::new();
    fill(&log, 1).await;
    let around = Around::new(&log);
    let map = opened(guarded(&around, guard)).await;
    let alerts = map.watch_withheld();
    (log, around, map, alerts)
}

async fn alert(alerts: &mut Alerts) -> Withheld {
    let next = within("something is withheld", alerts.next()).await;
    next.unwrap().unwrap()
}

async fn is_over(alerts: &mut Alerts) {
    let next = within("nothing is withheld any more", alerts.next()).await;
    assert_eq!(next, Some(None));
}
