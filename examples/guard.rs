//! A map that does not lose everything at once: somebody deletes the wrong prefix, on whatever node.
//!
//! `cargo run --example guard`; on a server or a file: `GLOBE_LOG=etcd://127.0.0.1:2379 cargo run --example guard --features etcd`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::Duration;

use globe::{Globe, Guard, Withheld, WithheldWatch};

type Limits = Globe<String, u64>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".to_owned());
    let log = globe::connect(&url).await?;
    let keyspace = format!("limits-{}", std::process::id());

    // Nine in ten entries or more are not let go at once, but after ten minutes, or when somebody says so.
    let guard = Guard::hold().at_most(Duration::from_secs(600));
    let limits: Limits = Globe::builder(log.clone(), &keyspace)
        .guard(guard)
        .open()
        .await?;
    let everything = || ["uploads", "logins", "mails"].map(|key| (key.to_owned(), 100));
    limits.put_all(everything()).await?;
    let mut alerts = limits.watch_withheld();

    let somebody: Limits = Globe::open(log, &keyspace).await?;
    somebody.clear().await?;
    println!(
        "somebody has deleted everything: he sees {} limits",
        somebody.len()
    );
    if let Some(alert) = next(&mut alerts).await? {
        println!("here {} limits are shown: {alert}", limits.len());
    }

    somebody.put_all(everything()).await?;
    next(&mut alerts).await?;
    println!("it is put right: nobody here has seen it");

    somebody.clear().await?;
    next(&mut alerts).await?;
    println!("somebody deletes everything again, and this time it is meant");
    limits.accept_withheld();
    next(&mut alerts).await?;
    println!("accepted: {} limits are shown", limits.len());
    Ok(())
}

/// What is withheld next, or that nothing is any more.
async fn next(
    alerts: &mut WithheldWatch<String, u64>,
) -> Result<Option<Withheld>, Box<dyn std::error::Error>> {
    let next = tokio::time::timeout(Duration::from_secs(10), alerts.next());
    Ok(next.await?.ok_or("the map is closed")?)
}
