//! Dynamic configuration: typed values, defaults, and a reaction to each change.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::sync::Arc;

use globe::{Globe, Result, Watch};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)] // Fields may be added later: old records stay readable.
struct Limits {
    per_second: u32,
    burst: u32,
}

fn limits(per_second: u32, burst: u32) -> Limits {
    Limits { per_second, burst }
}

/// What a request handler does: a local read, every time. No await, no cache of one's own.
fn limits_of(config: &Globe<String, Limits>, service: &str) -> Arc<Limits> {
    config.get(service).unwrap_or_default()
}

/// The part of a program that has something to rebuild when its limits change.
async fn rebuild(mut watch: Watch<String, Limits>) {
    while let Some(changes) = watch.next().await {
        for change in &changes {
            match change.new_value() {
                Some(limits) => println!("rebuilding the limiter of {}: {limits:?}", change.key()),
                None => println!("{} is back to the defaults", change.key()),
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    let config: Globe<String, Limits> = Globe::connect(&url, "limits").await?;
    config.clear().await?;
    println!("before anybody set it: {:?}", limits_of(&config, "search"));

    let rebuilding = tokio::spawn(rebuild(config.watch_key("search")));
    config.put("search", limits(500, 50)).await?;
    println!("a request now sees: {:?}", limits_of(&config, "search"));
    config
        .update("search", |old| {
            limits(old.map_or(0, |old| old.per_second), 75)
        })
        .await?;
    config.put("login", limits(5, 1)).await?; // Wakes nobody above.
    config.delete("search").await?;

    config.close().await; // The watch shows what came until now, and ends.
    let _ = rebuilding.await;
    println!("the map is {:?}", config.status().phase);
    Ok(())
}
