//! What the benchmarks share: a filled map, peers measured in turns, and a row of the table they end up in, which is printed
//! and kept.
//!
//! It never judges: a target that is missed is printed, and fails nothing.

#[cfg(feature = "etcd")]
mod bare;
#[cfg(feature = "etcd")]
mod by_hand;
mod contest;
mod deaths;
mod effort;
mod filled;
#[cfg(feature = "etcd")]
mod looking;
mod member;
mod onlooker;
mod record;
#[cfg(feature = "peers")]
mod reflected;
mod results;
mod row;
mod slope;
mod spread;
mod turns;
mod unit;

#[cfg(feature = "etcd")]
pub use bare::{end_of_a_lease, first_answer};
#[cfg(feature = "etcd")]
pub use by_hand::guarded_put;
pub use contest::{Contest, nanoseconds};
pub use deaths::report_deaths;
pub use effort::{either, rounds, sizes};
pub use filled::{filled, key, shuffled_keys};
#[cfg(feature = "etcd")]
pub use looking::{NOISE, looks_on};
pub use member::{
    DEATHS, MEMBERS, SHARDS, TTL, balanced, before, healed, open_table, serve, victim,
};
pub use onlooker::{Done, Onlooker};
pub use record::{Line, Record, Run, Subject};
#[cfg(feature = "peers")]
pub use reflected::{Reflected, reference};
pub use results::{keep, kept, remark, results};
pub use row::{Target, print_head, report, report_contest, report_contest_for};
pub use slope::slope;
pub use spread::{Spread, at_most};
pub use turns::Turns;
pub use unit::Unit;
