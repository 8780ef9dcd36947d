//! Planted defects, to prove that the tests bite: each is a patch in `defects/`, and names the tests that must find it.
//!
//! It never touches the sources themselves: all defects are planted in one copy of them, which is built once, and the
//! environment chooses the one that is in force.

#![allow(
    clippy::disallowed_methods,
    reason = "it times processes, and has no runtime"
)]

mod defect;
mod hunk;
mod patched;
mod scratch;
mod trial;

pub use defect::{Defect, TestName};
pub use patched::Patched;
pub use scratch::{Programs, Scratch};
pub use trial::{Ended, Trial};
