//! A real etcd cluster, broken in every way, with Globe on it and the oracle watching.
//!
//! It judges nothing itself, and leaves nothing behind: hosts, disks and servers end with the process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a broken set-up is a failure"
)]

mod ballast;
mod ear;
mod figures;
mod held;
mod leg;
mod matrix;
mod presence;
mod rival;
mod round;
mod scenario;
mod scenarios;
mod site;
mod summary;

pub use figures::{Extent, Figure, measure_all};
pub use leg::Leg;
pub use matrix::{Choice, play_all};
pub use rival::compete;
pub use round::{Played, play};
pub use scenario::{SCENARIOS, Scenario};
pub use summary::Summary;
