//! Two who want to lead. The leader dies, and the other goes on.
//!
//! `cargo run --example election`, or on a server: `GLOBE_LOG=etcd://127.0.0.1:2379 cargo run --example election --features etcd`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use globe::{Claims, Election, Fenced, Globe, Leadership, LogClient, Session};

type Log = Arc<dyn LogClient>;

/// One process: it leads when it may, and works until it has done its share.
async fn process(log: Log, keyspace: String, name: &'static str) -> globe::Result<()> {
    let claims: Claims = Globe::open(log.clone(), &keyspace).await?;
    let session = Session::builder(log).name(name).open().await?;
    let election = Election::new(&claims, &session, "compactor")?;
    // Dropped first of all, should the term become unsure.
    let work = |term: Arc<Leadership>| async move {
        println!("{name} works in term {}", term.token().number);
        tokio::time::sleep(Duration::from_secs(1)).await;
        println!("{name} is done");
        ControlFlow::Break(())
    };
    election.lead(name, work).await?;
    session.close().await
}

#[tokio::main]
async fn main() -> globe::Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    let log = globe::connect(&url).await?;
    let keyspace = format!("example-election-{:x}", fastrand::u64(..));
    let claims: Claims = Globe::open(log.clone(), &keyspace).await?;
    let session = Session::open(log.clone()).await?;
    let election = Election::new(&claims, &session, "compactor")?;
    claims.wait_for(|_| election.leader().is_none()).await?;

    let first = tokio::spawn(process(log.clone(), keyspace.clone(), "first"));
    claims.wait_for(|_| election.leader().is_some()).await?;
    let second = tokio::spawn(process(log, keyspace, "second"));
    claims.wait_for(|view| view.len() == 2).await?;
    println!("{:?} leads", election.leader().map(|one| one.by));

    // Killed in the middle of its work. Here its session is dropped with it, so its claim goes at once; that of a process
    // which is gone for good goes when its lease ends.
    first.abort();
    claims.wait_for(|view| view.len() == 1).await?;
    println!("{:?} leads", election.leader().map(|one| one.by));
    let done = second.await;
    println!("{done:?}, {:?} leads", election.leader().map(|one| one.by));
    Ok(())
}
