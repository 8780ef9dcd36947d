//! Many new entries written as fast as they can be: `put_all` beside bare puts and handmade transactions of etcd-client. Prints
//! rows of a Markdown table.
//!
//! It starts a server of its own, and leaves none behind.

use std::ops::Range;

use etcd_client::{Client, DeleteOptions, GetOptions, Txn, TxnOp};
use globe::{EtcdLog, Globe};
use globe_bench::{
    Contest, Done, Target, Unit, either, key, nanoseconds, print_head, report_contest,
    report_contest_for, rounds,
};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many entries are written, and how often.
const ENTRIES: (usize, usize) = (100_000, 20_000);
const ROUNDS: usize = 5;

/// How many puts are under way at once, how many transactions, and how many puts are in each: one less than etcd takes, as in
/// Globe's, which write a slot as well.
const PUTS: usize = 64;
const TRANSACTIONS: usize = 8;
const OPERATIONS: usize = 127;

/// Ways to write them, and where. Those by hand have no guards, and show nothing to the process that writes.
#[derive(Clone, Copy)]
enum Way {
    Ours,
    Puts,
    Transactions,
}

const WAYS: [(Way, &str, &str); 3] = [
    (Way::Ours, "Globe", "ours"),
    (Way::Puts, "64 bare puts at once", "puts"),
    (
        Way::Transactions,
        "8 transactions of 127 at once",
        "transactions",
    ),
];

#[tokio::main]
async fn main() -> Done {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let entries = either(ENTRIES.0, ENTRIES.1);
    let names = WAYS.map(|(_, name, _)| name);
    let mut contest = Contest::of(Unit::Time, names);
    let stand = Stand {
        log: EtcdLog::connect([server.endpoint()]).await?,
        client: Client::connect([server.endpoint()], None).await?,
        entries,
    };
    for round in 0..rounds(ROUNDS) {
        let mut took = vec![f64::NAN; WAYS.len()];
        for turn in Contest::turns(round, WAYS.len()) {
            let (way, _, keyspace) = WAYS[turn];
            took[turn] = stand.write(way, keyspace).await?;
            stand.clear(keyspace).await?;
        }
        contest.count(took);
    }
    print_head(&names.map(str::to_owned));
    let figure = format!("{entries} new entries");
    report_contest("put_all", &figure, &contest);
    let puts = contest.beside(1);
    print_head(puts.names());
    report_contest_for("put_all", &figure, &puts, Target::Times(0.25));
    Ok(())
}

/// Who writes.
struct Stand {
    log: EtcdLog,
    client: Client,
    entries: usize,
}

impl Stand {
    /// Writes all, and says how long it took.
    async fn write(&self, way: Way, keyspace: &'static str) -> Done<f64> {
        match way {
            Way::Ours => self.by_globe(keyspace).await,
            Way::Puts => self.by_hand(keyspace, PUTS, 1).await,
            Way::Transactions => self.by_hand(keyspace, TRANSACTIONS, OPERATIONS).await,
        }
    }

    async fn by_globe(&self, keyspace: &'static str) -> Done<f64> {
        let globe: Globe<String, u64> = Globe::open(self.log.clone(), keyspace).await?;
        let entries: Vec<_> = (0..self.entries)
            .map(|number| (key(number), number as u64))
            .collect();
        let begun = Instant::now();
        let written = globe.put_all(entries).await?;
        let took = nanoseconds(begun.elapsed());
        let (count, shown) = (written.count(), globe.len());
        globe.close().await;
        match (count, shown) == (self.entries, self.entries) {
            true => Ok(took),
            false => Err(format!("wrote {count} entries, and shows {shown}").into()),
        }
    }

    /// So many at once write, each so many entries at a time.
    async fn by_hand(&self, keyspace: &'static str, at_once: usize, each: usize) -> Done<f64> {
        let all = self.entries;
        let begun = Instant::now();
        let mut writing = JoinSet::new();
        for first in 0..at_once {
            let mut client = self.client.clone();
            writing.spawn(async move {
                for begin in (0..all).step_by(each).skip(first).step_by(at_once) {
                    write(&mut client, keyspace, begin..all.min(begin + each)).await?;
                }
                Ok::<_, etcd_client::Error>(())
            });
        }
        while let Some(written) = writing.join_next().await {
            written??;
        }
        Ok(nanoseconds(begun.elapsed()))
    }

    /// Takes away what was written, if that was all.
    async fn clear(&self, keyspace: &str) -> Done {
        let mut client = self.client.clone();
        let begin = format!("{keyspace}/");
        let all = GetOptions::new().with_prefix().with_count_only();
        let count = client.get(begin.as_str(), Some(all)).await?.count();
        if usize::try_from(count)? != self.entries {
            return Err(format!("{count} of {} keys in {keyspace}", self.entries).into());
        }
        let all = DeleteOptions::new().with_prefix();
        client.delete(begin, Some(all)).await?;
        Ok(())
    }
}

/// Puts these: one by itself, and several as a transaction.
async fn write(
    client: &mut Client,
    keyspace: &str,
    numbers: Range<usize>,
) -> Result<(), etcd_client::Error> {
    let mut records =
        numbers.map(|number| (format!("{keyspace}/{}", key(number)), number.to_string()));
    if records.len() == 1
        && let Some((name, value)) = records.next()
    {
        return client.put(name, value, None).await.map(drop);
    }
    let puts = records.map(|(name, value)| TxnOp::put(name, value, None));
    let transaction = Txn::new().and_then(puts.collect::<Vec<_>>());
    client.txn(transaction).await.map(drop)
}
