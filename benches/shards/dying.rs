//! A member that dies: from its end until all its shards are owned again, beside a lease of the same log that nobody renews.
//!
//! Each member is a runtime of its own, which is dropped in the middle of whatever it does.

use std::collections::BTreeMap;

use globe::log_client::Transaction;
use globe::{Globe, Keyspace, LogClient, MemoryLog};
use globe_bench::{
    DEATHS, MEMBERS, TTL, balanced, before, either, healed, open_table, report_deaths, serve,
    victim,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Duration, Instant, sleep};

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

pub(crate) fn measure(runtime: &Runtime) -> Done {
    let log = MemoryLog::new();
    let mut members = BTreeMap::new();
    for number in 0..MEMBERS {
        let id = format!("w{number}");
        members.insert(id.clone(), member(&log, id)?);
    }
    let shards = runtime.block_on(open_table(log.clone()))?;
    let mut all = Vec::new();
    for death in 0..either(DEATHS, 2) {
        runtime.block_on(async {
            balanced(&shards, MEMBERS).await;
            sleep(before(death)).await;
        });
        let dead = victim(&shards, death, members.keys()).ok_or("nobody is left")?;
        let killed = Instant::now();
        if let Some(process) = members.remove(&dead) {
            process.shutdown_background();
        }
        runtime.block_on(healed(&shards, &dead));
        let ours = killed.elapsed();
        all.push((ours, runtime.block_on(end_of_a_lease(&log))?));
        let next = format!("x{death}");
        members.insert(next.clone(), member(&log, next)?);
    }
    report_deaths(
        "a member of 10 killed (ttl 3 s; every other time the planner) until its 200 shards are owned again, beside a bare lease of the memory log that nobody renews, until a map shows its end",
        &all,
        TTL + Duration::from_secs(1),
    );
    for (_, process) in members {
        process.shutdown_background();
    }
    Ok(())
}

/// A member, in a runtime of its own.
fn member(log: &MemoryLog, id: String) -> Done<Runtime> {
    let process = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let log = log.clone();
    process.spawn(async move { serve(log, &id).await });
    Ok(process)
}

async fn end_of_a_lease(log: &MemoryLog) -> globe::Result<Duration> {
    let map: Globe<String, u64> = Globe::open(log.clone(), "raw").await?;
    let begun = Instant::now();
    let lease = log.grant(TTL).await?;
    let leased = Transaction::new().put_leased(&Keyspace::new("raw")?, "dying", "1", lease.id);
    log.commit(leased).await?;
    map.wait_for(|view| view.len() == 1).await?;
    map.wait_for(|view| view.is_empty()).await?;
    Ok(begun.elapsed())
}
