//! The live configuration of a service: a struct with defaults, which others change by layers, by stages, and take back.
//!
//! `cargo run --example settings`, or on a server: `GLOBE_LOG=etcd://127.0.0.1:2379 cargo run --example settings --features etcd`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use globe::Settings;
use globe::settings::Scope;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Serialize, Deserialize)]
struct Http {
    timeout_ms: u64,
    retries: u32,
}

#[tokio::main]
async fn main() -> globe::Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    let log = globe::connect(&url).await?;
    let keyspace = format!("example-settings-{:x}", fastrand::u64(..));
    let scope = Scope::new("web-7").layer("region", "eu");
    let settings = Settings::builder(log, &keyspace, scope)
        .by("anna")
        .open()
        .await?;

    let http = settings
        .declare(
            "http",
            Http {
                timeout_ms: 250,
                retries: 2,
            },
        )
        .check(|http| match http.timeout_ms {
            0 => Err("a time-out is more than nothing".to_owned()),
            _ => Ok(()),
        })
        .open()?;
    println!("from the default: {:?}", *http.get());

    // What others need not know of: how to apply it, now and whenever that part changes.
    let _binding = http.bind(
        |http| http.timeout_ms,
        |timeout| {
            println!("  (the client waits for {timeout} ms now)");
            Ok::<_, String>(())
        },
    );

    http.patch("region:eu", json!({"timeout_ms": 400})).await?;
    println!("in Europe: {:?}", *http.get());
    let refused = http.patch("global", json!({"timeout_ms": 0})).await;
    println!(
        "refused: {}",
        refused.map_or_else(|error| error.to_string(), |_| String::new())
    );

    let staged = http.rollout(
        "region:eu",
        Http {
            timeout_ms: 300,
            retries: 5,
        },
    );
    let staged = staged.percent(10).start().await?.advance(100).await?;
    println!("rolled out to all: {:?}", *http.get());
    staged.finish().await?;

    for field in http.explain().fields {
        let by = field.by.unwrap_or_default();
        println!("{} is of {} by {by}", field.field, field.source);
    }
    http.undo("region:eu", 1).await?;
    println!("undone: {:?}", *http.get());
    for past in http.history("region:eu")? {
        println!("{past:?}");
    }
    Ok(())
}
