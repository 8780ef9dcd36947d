//! What the benchmarks share: a filled map, peers measured in turns, and a row of the table they end up in.
//!
//! It never judges: a target that is missed is printed, and fails nothing.

mod filled;
mod row;
mod turns;
mod unit;

pub use filled::{filled, key, shuffled_keys};
pub use row::{Target, report};
pub use turns::Turns;
pub use unit::Unit;
