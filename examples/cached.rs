//! One key that is read on every request, with a default, and a reaction to each change. For the configuration of a whole
//! service there is more on top of it: see `settings`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use globe::{Cached, Globe, Result, ValueWatch};
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

/// What a request handler keeps: the value of one key, looked up anew only when the map has changed. Clone it for each thread.
#[derive(Clone)]
struct Handler {
    limits: Cached<String, Limits>,
}

impl Handler {
    /// Local, every time: no await, no network. Without a value there is a default.
    fn handle(&mut self) -> Limits {
        self.limits
            .get()
            .map(|limits| Limits::clone(limits))
            .unwrap_or_default()
    }
}

/// The part of a program that has something to rebuild: with the present limits first, then whenever they have changed.
async fn rebuild(mut limits: ValueWatch<String, Limits>) {
    while let Some(limits) = limits.next().await {
        match limits {
            Some(limits) => println!("  the limiter is built for {limits:?}"),
            None => println!("  the limiter is built for the defaults"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    // A keyspace of this run alone: nobody else's map is touched.
    let keyspace = format!("example-cached-{:x}", fastrand::u64(..));
    let config: Globe<String, Limits> = Globe::connect(&url, &keyspace).await?;

    let mut handler = Handler {
        limits: config.cached("search"),
    };
    println!("before anybody set it: {:?}", handler.handle());
    let rebuilding = tokio::spawn(rebuild(config.watch_value("search")));

    config.put("search", limits(500, 50)).await?;
    println!("a request now sees: {:?}", handler.handle());
    config
        .update("search", |old| {
            limits(old.map_or(0, |old| old.per_second), 75)
        })
        .await?;
    println!("and now: {:?}", handler.handle());
    config.put("login", limits(5, 1)).await?; // Wakes nobody above.

    config.clear().await?; // What this run wrote.
    config.close().await; // The watch shows the last value, and ends.
    let _ = rebuilding.await;
    println!("the map is {}", config.status().phase);
    Ok(())
}
