//! What clients cost an etcd cluster, beside what other clients cost it: prints rows of a Markdown table.
//!
//! It starts servers of its own, and leaves none behind.

mod conflict;
mod cost;
mod crowd;
mod neighbour;
mod ordinary;
mod users;

use globe::{Globe, Result};

/// How often everything is measured.
const ROUNDS: usize = 3;

type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Numbers = Globe<String, u64>;

#[tokio::main]
async fn main() -> Done {
    ordinary::compare().await?;
    crowd::compare().await?;
    conflict::compare().await
}
