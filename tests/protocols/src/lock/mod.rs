//! The lock, and the session under it: clients, their views, what is under way, the log, and a resource with a gate.
//!
//! Nothing is drawn: every order of every step is searched, as far as the [`scope`] says how often something may go wrong.
//!
//! Time is only an order of events. A lease ends after its owner's clocks have said so, for that is what its margin is for;
//! a grace ends after that of everybody who held in the life before. What a pause can do is in the steps that are apart: an
//! answer and what is made of it, a look and what is sent after it, a request and when it arrives.
//!
//! More is allowed here than in the map where that saves states: a session is live again before its maps have caught up, and
//! takes a lease whatever they show. A request that is lost with its lease is not repeated, but may be made anew. And what
//! is the same a step later is one step: a lease that is lost and the next one, a sweep and its arrival.

mod action;
mod client;
mod commit;
mod log;
mod look;
pub mod properties;
mod resource;
pub mod scope;
mod settle;
mod state;
mod step;
