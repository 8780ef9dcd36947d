//! The double barrier: clients that come, give up and leave, their views, what is under way, and the log.
//!
//! Nothing is drawn: every order of every step is searched, as far as the [`scope`] says how often something may go wrong.
//!
//! What a client does it does by its view, which may be old. A commit is guarded by what that view shows, so one that is sent
//! and arrives at once is as one that was sent when the view was new; those that are under way for longer than their sender
//! cares for are apart. The session under it is that of [`lock`](crate::lock): here it only ends, with all that is under it.

mod action;
pub mod properties;
pub mod scope;
mod state;
mod step;
