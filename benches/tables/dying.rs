//! A member that is killed: from its end until all its shards are owned again, beside a lease of etcd's own that nobody renews.
//!
//! Each member is this program started once more; it is never asked to leave.

use std::collections::BTreeMap;

use etcd_client::Client;
use globe::EtcdLog;
use globe_bench::{
    DEATHS, Done, MEMBERS, TTL, balanced, before, either, end_of_a_lease, healed, open_table,
    report_deaths, serve, victim,
};
use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep};

/// Set to the server's address for a process that is a member, and to its id.
const SERVER: &str = "GLOBE_BENCH_TABLE";
const MEMBER: &str = "GLOBE_BENCH_MEMBER";

/// Is a member until it is killed, if this is a process for that.
pub(crate) async fn serves() -> Option<Done> {
    let (endpoint, id) = (std::env::var(SERVER).ok()?, std::env::var(MEMBER).ok()?);
    let serving = async { Ok(serve(EtcdLog::connect([&endpoint]).await?, &id).await?) };
    Some(serving.await)
}

pub(crate) async fn measure(endpoint: &str) -> Done {
    let mut client = Client::connect([endpoint], None).await?;
    let shards = open_table(EtcdLog::connect([endpoint]).await?).await?;
    let mut members = BTreeMap::new();
    for number in 0..MEMBERS {
        let id = format!("w{number}");
        members.insert(id.clone(), member(endpoint, &id)?);
    }
    let mut all = Vec::new();
    for death in 0..either(DEATHS, 2) {
        balanced(&shards, MEMBERS).await;
        sleep(before(death)).await;
        let dead = victim(&shards, death, members.keys()).ok_or("nobody is left")?;
        let killed = Instant::now();
        if let Some(mut process) = members.remove(&dead) {
            process.kill().await?;
        }
        healed(&shards, &dead).await;
        all.push((killed.elapsed(), end_of_a_lease(&mut client, TTL).await?));
        let next = format!("x{death}");
        members.insert(next.clone(), member(endpoint, &next)?);
    }
    report_deaths(
        "a member of 10 killed (ttl 3 s; every other time the planner) until its 200 shards are owned again, beside a bare lease as long that nobody renews, until a watch shows its end",
        &all,
        TTL + Duration::from_secs(1),
    );
    Ok(())
}

fn member(endpoint: &str, id: &str) -> Done<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .env(SERVER, endpoint)
        .env(MEMBER, id)
        .kill_on_drop(true)
        .spawn()?)
}
