//! What is read: views of the replica, the waiting before a look, and watches.
//!
//! Nothing here changes the replica, and nothing holds it up.

pub(crate) mod consistency;
pub(crate) mod difference;
pub(crate) mod iter;
pub(crate) mod view;
pub(crate) mod watch;
