//! What watches take: how fast a write comes to many of them, what one that stalls is to the others, and what those take that
//! nothing happens to: prints rows of a Markdown table.
//!
//! It is meant for `scripts/bench`. It needs no server.

mod audience;
mod delivering;
mod quiet;
mod source;
mod stalled;

use globe_bench::print_head;

type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Done {
    print_head(&["Globe".to_owned(), "peer".to_owned()]);
    // First, while the process has asked for no memory that it could give to watches.
    quiet::compare().await?;
    delivering::compare().await?;
    stalled::compare().await
}

/// What 99 of 100 took at most.
fn late(mut took: Vec<f64>) -> f64 {
    took.sort_by(f64::total_cmp);
    let place = took.len() * 99 / 100;
    took.get(place).copied().unwrap_or(f64::NAN)
}
