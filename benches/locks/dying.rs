//! An owner that is killed: from its end until the next has the lock, beside a lease of etcd's own that nobody renews.
//!
//! The owner is this program started once more; it is never asked to let go.

use std::process::Stdio;

use etcd_client::Client;
use globe::Fenced;
use globe_bench::{Done, either, end_of_a_lease, report_deaths};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep};

use crate::rival::Rival;

/// Set to the server's address for the process that only holds.
const HOLDER: &str = "GLOBE_BENCH_HOLDER";

/// The sessions' and the lease's.
const TTL: Duration = Duration::from_secs(3);

/// How many owners are killed, each at another time after a renewal.
const DEATHS: u32 = 9;

/// Holds until it is killed, if this is the process for that.
pub(crate) async fn holds() -> Option<Done> {
    let endpoint = std::env::var(HOLDER).ok()?;
    Some(hold(&endpoint).await)
}

#[expect(clippy::print_stdout, reason = "that is how it is heard")]
async fn hold(endpoint: &str) -> Done {
    let rival = Rival::with(endpoint, TTL).await?;
    let guard = rival.lock()?.acquire().await?;
    println!("{}", guard.token());
    std::future::pending().await
}

pub(crate) async fn measure(endpoint: &str) -> Done {
    let mut client = Client::connect([endpoint], None).await?;
    let mut all = Vec::new();
    for death in 0..either(DEATHS, 2) {
        let ours = death_of_an_owner(endpoint, death).await?;
        all.push((ours, end_of_a_lease(&mut client, TTL).await?));
    }
    report_deaths(
        "an owner killed (ttl 3 s) until the next has its lock, beside a bare lease as long that nobody renews, until a watch shows its end",
        &all,
        TTL + Duration::from_secs(1),
    );
    Ok(())
}

/// It is killed so much after a renewal: the first is due after a third of its time.
async fn death_of_an_owner(endpoint: &str, death: u32) -> Done<Duration> {
    let rival = Rival::with(endpoint, TTL).await?;
    let mut owner = Command::new(std::env::current_exe()?)
        .env(HOLDER, endpoint)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let held = holder(&mut owner).await?;
    rival.counts(1).await?;
    let lock = rival.lock()?;
    let waiting = tokio::spawn(async move { (lock.acquire().await, Instant::now()) });
    rival.counts(2).await?;
    sleep(TTL + TTL / 3 * death / DEATHS).await;
    let killed = Instant::now();
    owner.kill().await?;
    let (guard, had) = waiting.await?;
    let guard = guard?;
    if guard.token().to_string() == held {
        return Err("its own token was had again".into());
    }
    guard.release().await?;
    rival.session.close().await?;
    Ok(had - killed)
}

/// The token of who holds, once it does.
async fn holder(owner: &mut Child) -> Done<String> {
    let output = owner.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(output).lines();
    Ok(lines.next_line().await?.ok_or("it ended")?)
}
