//! What the benchmarks share: a filled map, peers measured in turns, and a row of the table they end up in.
//!
//! It never judges: a target that is missed is printed, and fails nothing.

mod filled;
#[cfg(feature = "etcd")]
mod onlooker;
mod row;
mod turns;
mod unit;

pub use filled::{filled, key, shuffled_keys};
#[cfg(feature = "etcd")]
pub use onlooker::{Done, Onlooker, looks_on};
pub use row::{Target, report};
pub use turns::Turns;
pub use unit::Unit;
