//! Who writes to all keyspaces in turn, by bare puts, from outside.
//!
//! It never waits for those who follow.

use std::ops::Range;

use etcd_client::{Client, Txn, TxnOp};
use globe_bench::{Done, key};
use tokio::task::JoinHandle;
use tokio::time::{Duration, interval};

use crate::follower::{LAST, Load, keyspace};

/// How often is written in a second, in all.
pub(crate) const WRITES: f64 = 100.0;

/// As much as a server takes in one transaction.
const AT_ONCE: usize = 100;

/// Writes until it is stopped.
pub(crate) struct Writer(JoinHandle<()>);

impl Writer {
    pub(crate) fn start(mut client: Client, load: Load) -> Writer {
        let task = tokio::spawn(async move {
            let mut tick = interval(Duration::from_secs_f64(1.0 / WRITES));
            for number in 0.. {
                tick.tick().await;
                let put = client.put(name(load, number), number.to_string(), None);
                if put.await.is_err() {
                    return;
                }
            }
        });
        Writer(task)
    }

    /// It ends only with an error.
    pub(crate) async fn stop(self) -> Done {
        if self.0.is_finished() {
            return Err("the writer could not write".into());
        }
        self.0.abort();
        // What is under way may land until it has ended.
        let _ = self.0.await;
        Ok(())
    }
}

/// One keyspace after the other, and in each one entry after the other.
fn name(load: Load, number: usize) -> String {
    let entry = number / load.keyspaces % load.entries;
    format!("{}/{}", keyspace(number % load.keyspaces), key(entry))
}

/// Writes all entries.
pub(crate) async fn fill(client: &mut Client, load: Load) -> Done {
    put_all(client, 0..load.keyspaces * load.entries, load, 0).await
}

/// Writes to the first entry of each what is written last.
pub(crate) async fn finish(client: &mut Client, load: Load) -> Done {
    put_all(client, 0..load.keyspaces, load, LAST).await
}

async fn put_all(client: &mut Client, numbers: Range<usize>, load: Load, value: u64) -> Done {
    let numbers: Vec<_> = numbers.collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let put = |number: &usize| TxnOp::put(name(load, *number), value.to_string(), None);
        let puts: Vec<_> = numbers.iter().map(put).collect();
        client.txn(Txn::new().and_then(puts)).await?;
    }
    Ok(())
}
