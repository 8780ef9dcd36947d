//! A keyspace of an etcd that holds so many records.
//!
//! It never goes by way of Globe, and nothing of it is measured.

use etcd_client::{Client, Txn, TxnOp};
use globe_bench::{Done, key};
use tokio::task::JoinSet;

/// How many are put at once, and how many such transactions are under way.
const AT_ONCE: usize = 100;
const UNDER_WAY: usize = 8;

/// Puts so many records.
pub(crate) async fn fill(
    client: &Client,
    keyspace: &'static str,
    entries: usize,
    value: fn(usize) -> String,
) -> Done {
    let mut filling = JoinSet::new();
    for first in 0..UNDER_WAY {
        let mut client = client.clone();
        filling.spawn(async move {
            let chunks = (0..entries).step_by(AT_ONCE).skip(first).step_by(UNDER_WAY);
            for chunk in chunks {
                let numbers = chunk..entries.min(chunk + AT_ONCE);
                let puts =
                    numbers.map(|number| TxnOp::put(name(keyspace, number), value(number), None));
                let transaction = Txn::new().and_then(puts.collect::<Vec<_>>());
                client.txn(transaction).await?;
            }
            Ok::<_, etcd_client::Error>(())
        });
    }
    while let Some(filled) = filling.join_next().await {
        filled??;
    }
    Ok(())
}

/// The key of a record in etcd.
pub(crate) fn name(keyspace: &str, number: usize) -> String {
    format!("{keyspace}/{}", key(number))
}
