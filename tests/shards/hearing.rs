//! Waiting for another table than the one that was seen.

use std::time::Duration;

use globe::shards::{Mode, ShardMember};
use globe::{MemoryLog, Session, Shards};
use tokio::time::timeout;

use crate::cluster::BOUND;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_table_hears_of_the_next_and_of_one_that_has_come_already() {
    let log = MemoryLog::new();
    let table = || Shards::builder(log.clone(), "orders").slots(4);
    let shards = table().mode(Mode::Strict).open().await.unwrap();
    let session = Session::open(log.clone()).await.unwrap();
    let seen = shards.table().position();
    let nothing = timeout(HOUR, shards.changed(seen)).await;
    assert!(nothing.is_err(), "nothing has changed");

    // The next, by whoever it is.
    let (other, waiting) = (shards.clone(), shards.clone());
    let waiting = tokio::spawn(async move { waiting.changed(seen).await });
    let _worker = other.join(&session, ShardMember::new("w1")).await.unwrap();
    let next = timeout(BOUND, waiting).await.unwrap().unwrap();
    assert_ne!(next.position(), seen);
    assert!(next.member("w1").is_some());

    // One that has come already, however long ago.
    let at_once = timeout(Duration::ZERO, shards.changed(seen)).await;
    assert_eq!(at_once.unwrap().position(), shards.table().position());

    // Step by step to the last.
    let all_owned = async {
        let mut table = shards.table();
        while table.owner_of_shard(3).is_none() {
            let next = shards.changed(table.position()).await;
            assert_ne!(next.position(), table.position(), "another each time");
            table = next;
        }
    };
    timeout(BOUND, all_owned).await.unwrap();
}
