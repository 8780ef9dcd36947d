//! What is read of the map.
//!
//! Nobody waits before looking here.

#[path = "../../../src/read/difference.rs"]
pub(crate) mod difference;
#[path = "../../../src/read/iter.rs"]
pub(crate) mod iter;
#[path = "../../../src/read/view.rs"]
pub(crate) mod view;
#[path = "../../../src/read/watch.rs"]
pub(crate) mod watch;
