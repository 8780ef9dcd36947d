//! The hand-over of a shard: one row, its members, those of them that plan, their views, what is under way, and the log.
//!
//! Nothing is drawn: every order of every step is searched, as far as the [`scope`] says how often something may go wrong.
//!
//! What may become of the row, and what it asks of a member, are the map's own tables. What a commit is guarded by, when a
//! member counts as live, and what it loses with its session is said here.
//!
//! Time is only an order of events: a lease ends after its owner's clocks have said so, and a grace after those of everybody who
//! was a member in the life before. Whatever a member or planner does it does by its view, which may be old; a commit that is
//! sent and arrives at once is as one that was sent when the view was new. Those that are under way for longer are apart.
//!
//! More is allowed here than in the map where that saves states: a session is live again before its view has caught up, its
//! owner joins again before it has dropped what it ran, and plans while it is suspended or in grace.

mod action;
mod commit;
mod content;
mod guard;
mod look;
mod plan;
pub mod properties;
pub mod scope;
mod settle;
mod state;
mod step;
mod tables;
mod worker;
