//! What a shard table costs: a look-up, coming in to a shard, a plan, and a member that dies: prints rows of a Markdown table.
//!
//! It is meant for `scripts/bench`. It needs no server: what a death costs on a real etcd is in `tables`.

mod dying;
mod entering;
mod looking;
mod planning;
mod table;

use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::new()?;
    looking::compare(&runtime)?;
    entering::compare(&runtime)?;
    planning::measure(&runtime)?;
    dying::measure(&runtime)
}
