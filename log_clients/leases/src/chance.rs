//! Numbers that nobody else has, and waits that clients do not share.
//!
//! Never a secret: an id only has to differ from every other.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// 64 bits that the system draws.
fn bits() -> u64 {
    RandomState::new().hash_one(())
}

/// A name for a lease: 63 bits, so that it is a positive number wherever it is read.
pub(crate) fn id() -> u64 {
    bits() >> 1
}

/// A part of a time: another one at every client.
pub(crate) fn part_of(most: Duration) -> Duration {
    let parts = u32::try_from(bits() % 1000).unwrap_or(0);
    most * parts / 1000
}
