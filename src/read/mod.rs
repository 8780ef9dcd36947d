//! What is read: views of the replica, the waiting before a look, and watches.
//!
//! Nothing here changes the replica, and nothing holds it up.

pub(crate) mod agreement;
pub(crate) mod barrier;
pub(crate) mod consistency;
pub(crate) mod difference;
pub(crate) mod iter;
pub(crate) mod phase_watch;
pub(crate) mod quarantine_watch;
pub(crate) mod stream;
pub(crate) mod value_watch;
pub(crate) mod view;
pub(crate) mod watch;
pub(crate) mod withheld_watch;
