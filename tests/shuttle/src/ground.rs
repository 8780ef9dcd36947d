//! The ground of the map, with other words for what is shared.
//!
//! Of its own there is only `sync`.

#[path = "../../../src/ground/careful.rs"]
pub(crate) mod careful;
#[path = "../../../src/ground/pace.rs"]
pub(crate) mod pace;
#[path = "sync.rs"]
pub(crate) mod sync;
