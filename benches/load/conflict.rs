//! A commit that many large values stand in the way of, beside a transaction by hand.
//!
//! It counts what the client is given, not what the server says it sent.

use etcd_client::{Client, Compare, CompareOp, GetOptions, Txn, TxnOp};
use globe::log_client::Transaction;
use globe::{ErrorKind, EtcdLog, Keyspace, LogClient, Precondition, Revision};
use globe_bench::{Target, Turns, Unit, either, report};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy};
use tokio::time::{Duration, sleep};

use crate::{Done, ROUNDS};

/// How many values stand in the way of a commit, and how large each is.
const VALUES: usize = 80;
const VALUE: usize = 1_000_000;

/// A commit that many large values stand in the way of, beside a transaction by hand that asks for their keys.
pub(crate) async fn compare() -> Done {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let mut client = Client::connect([server.endpoint()], None).await?;
    for name in names() {
        client
            .put(format!("flags/{name}"), "x".repeat(VALUE), None)
            .await?;
    }
    let proxy = Proxy::start(server.port()).await;
    let mut client = Client::connect([proxy.endpoint()], None).await?;
    let keyspace = Keyspace::new("flags")?;
    let mut turns = Turns::of(Unit::Bytes);
    for _ in 0..either(ROUNDS, 1) {
        // A new one each time: what its first commit needs is counted as well.
        let log = EtcdLog::connect([proxy.endpoint()]).await?;
        log.head(&keyspace).await?;
        let before = replied(&proxy).await;
        lose(&log, &keyspace).await?;
        let between = replied(&proxy).await;
        client.txn(by_hand()).await?;
        let after = replied(&proxy).await;
        turns.count((between - before) as f64, (after - between) as f64);
    }
    let figure = format!(
        "what a client receives for a commit that {VALUES} values of 1 MB stand in the way of, beside a transaction by hand that reads their keys"
    );
    report(&figure, &turns, Target::Under(65_536.0));
    Ok(())
}

fn names() -> impl Iterator<Item = String> {
    (0..VALUES).map(|number| format!("large-{number}"))
}

async fn lose(log: &EtcdLog, keyspace: &Keyspace) -> Done {
    let stale = Precondition::At(Revision(1));
    let guarded = names().fold(Transaction::new(), |guarded, name| {
        guarded.when(keyspace, name, stale)
    });
    let Err(error) = log.commit(guarded.put(keyspace, "new", "1")).await else {
        return Err("it was committed".into());
    };
    match error.kind() {
        ErrorKind::Conflict(conflict) if conflict.failed.len() == VALUES => Ok(()),
        _ => Err(error.into()),
    }
}

fn by_hand() -> Txn {
    let names: Vec<_> = names().map(|name| format!("flags/{name}")).collect();
    let is_stale = |name: &String| Compare::mod_revision(name.as_str(), CompareOp::Equal, 1);
    let read = |name: &String| TxnOp::get(name.as_str(), Some(GetOptions::new().with_keys_only()));
    Txn::new()
        .when(names.iter().map(is_stale).collect::<Vec<_>>())
        .and_then([TxnOp::put("flags/new", "1", None)])
        .or_else(names.iter().map(read).collect::<Vec<_>>())
}

/// What was forwarded to clients, once nothing more comes.
async fn replied(proxy: &Proxy) -> u64 {
    loop {
        let replied = proxy.replied();
        sleep(Duration::from_millis(50)).await;
        if proxy.replied() == replied {
            return replied;
        }
    }
}
