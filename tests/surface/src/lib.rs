//! The public surface of a crate, read from its sources: one sorted line for each item that a user can name.
//!
//! It never compiles anything, so it runs on the stable toolchain; for that it takes types as they are written: what a name
//! means in another crate, and which types are `Send`, it does not know.
//!
//! ```text
//! globe::Consistency: #[non_exhaustive] pub enum Consistency
//! globe::Consistency: derives Clone
//! globe::Consistency::AtLeast: AtLeast(Position)
//! globe::Globe::get: pub fn get<Q>(&self, key: &Q) -> Option<Arc<V>> where K: Borrow<Q>, Q: Ord + Hash + ?Sized
//! ```

mod attributes;
mod crates;
mod difference;
mod error;
mod implementations;
mod lines;
mod modules;
mod names;
mod signature;
mod sources;
mod surface;

pub use crates::{Listed, PUBLISHED};
pub use difference::difference;
pub use error::{Error, Result};
pub use sources::Sources;
pub use surface::surface;
