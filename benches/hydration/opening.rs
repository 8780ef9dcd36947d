//! A tail opened, beside a bare watch.
//!
//! Nothing ever comes through it.

use etcd_client::{Client, WatchOptions};
use globe::{EtcdLog, Keyspace, LogClient};
use globe_bench::{Done, Target, Turns, report, rounds};
use tokio::time::Instant;

/// How often a tail is opened.
const TAILS: usize = 40;

pub(crate) async fn compare(endpoint: &str, name: &str, entries: usize) -> Done {
    let mut client = Client::connect([endpoint], None).await?;
    let log = EtcdLog::connect([endpoint]).await?;
    let keyspace = Keyspace::new(name)?;
    let position = log.snapshot(&keyspace).await?.position();
    let mut turns = Turns::default();
    for _ in 0..rounds(TAILS) {
        let begun = Instant::now();
        let tail = log.tail(&keyspace, position).await?;
        let ours = begun.elapsed();
        drop(tail);
        let after = i64::try_from(position.revision.0)? + 1;
        let options = WatchOptions::new().with_range(format!("{name}0"));
        let begun = Instant::now();
        let watch = client.watch(format!("{name}/"), Some(options.with_start_revision(after)));
        let watch = watch.await?;
        turns.push(ours, begun.elapsed());
        drop(watch);
    }
    let figure = format!("opening a tail on {entries} keys, beside a bare watch");
    report(&figure, &turns, Target::Over(10_000_000.0));
    Ok(())
}
