//! A service that registers itself for as long as it lives, and survives the loss of its lease.
//!
//! `cargo run --example session`, or on a server: `GLOBE_LOG=etcd://127.0.0.1:2379 cargo run --example session --features etcd`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::Duration;

use globe::{Globe, Session, SessionEvent};

#[tokio::main]
async fn main() -> globe::Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    let log = globe::connect(&url).await?;
    let keyspace = format!("example-session-{:x}", fastrand::u64(..));
    let servers: Globe<String, String> = Globe::open(log.clone(), &keyspace).await?;

    let ttl = Duration::from_secs(2);
    let session = Session::builder(log.clone())
        .name("web-7")
        .ttl(ttl)
        .open()
        .await?;
    let mut events = session.events();
    servers
        .put_ephemeral(&session, "web-7", "10.0.0.7:80".to_owned())
        .await?;
    println!(
        "registered: {:?}, {}",
        servers.get("web-7"),
        session.state()
    );

    // It lives on: the lease is renewed.
    tokio::time::sleep(ttl * 2).await;
    println!("after two times its ttl: {:?}", servers.get("web-7"));

    // Somebody ends the lease. The session takes another one, and the entry is back.
    if let Some(lease) = servers.get_entry("web-7").and_then(|entry| entry.lease()) {
        log.revoke(lease).await?;
    }
    while let Some(event) = events.next().await {
        println!("told: {event:?}");
        if let SessionEvent::Restored { put_back, .. } = event {
            println!("back again: {put_back} entry, {:?}", servers.get("web-7"));
            break;
        }
    }

    // A session that ends takes its entries with it, at once.
    session.close().await?;
    servers.sync().await?;
    println!("after the close: {:?}", servers.get("web-7"));
    Ok(())
}
