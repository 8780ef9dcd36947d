//! Two who want one lock. The holder is paused for longer than its session lives; what it writes late is refused.
//!
//! `cargo run --example lock`, or on a server: `GLOBE_LOG=etcd://127.0.0.1:2379 cargo run --example lock --features etcd`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use globe::{Claims, Fenced, Gate, Globe, Lock, Session};

#[tokio::main]
async fn main() -> globe::Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    let log = globe::connect(&url).await?;
    let keyspace = format!("example-lock-{:x}", fastrand::u64(..));
    let claims: Claims = Globe::open(log.clone(), &keyspace).await?;
    let bills: Globe<String, u64> = Globe::open(log.clone(), &format!("{keyspace}-bills")).await?;

    // The first can be paused: its lease is then not renewed, as if the process stood still.
    let runs = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&runs);
    let session = || Session::builder(log.clone()).ttl(Duration::from_secs(2));
    let first = session().renew_while(move || asked.load(Ordering::SeqCst));
    let (first, second) = (first.open().await?, session().open().await?);

    let mut gate = Gate::default(); // of a file store, say, which keeps it with its data
    let held = Lock::new(&claims, &first, "invoices")?.acquire().await?;
    gate.admit(held.token())?;
    println!("the first writes with token {}", held.token());

    runs.store(false, Ordering::SeqCst);
    println!("the first is paused …");
    let next = Lock::new(&claims, &second, "invoices")?.acquire().await?;
    gate.admit(next.token())?;
    println!("the second writes with token {}", next.token());

    // The first wakes up in the middle of its work. Its clocks tell it, if it looks; its late write is refused either way.
    println!("the first holds it still: {}", held.is_held());
    println!("its late write elsewhere: {:?}", gate.admit(held.token()));
    let late = bills.transact(|txn| {
        txn.require(&held)?;
        txn.put(&bills, "billed", 1)
    });
    println!("its late write in the log: {:?}", late.await);
    let written = bills.transact(|txn| {
        txn.require(&next)?;
        txn.put(&bills, "billed", 2)
    });
    written.await?;
    println!("billed: {:?}", bills.get("billed"));
    next.release().await
}
