//! Tails: watches on streams that are shared, made whole, ordered and proved to reach the head.
//!
//! No batch is handed out before it is whole and in its order.

pub(crate) mod action;
pub(crate) mod fragments;
pub(crate) mod proof;
pub(crate) mod state;
pub(crate) mod tailing;
pub(crate) mod watch_handle;
