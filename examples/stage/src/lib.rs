//! What the services under `examples/` are shown with: members that are started, asked to stop and killed, as processes or as
//! threads; and a story that says what one should see, and fails where it was not seen.
//!
//! Nothing here is what a service is made of, but for [`Place::of_this_process`], which shows how a process is told to stop.
#![allow(clippy::print_stdout, reason = "an example prints")]

mod caller;
mod member;
mod place;
mod role;
mod stage;
mod story;

pub use caller::{Answer, Caller};
pub use member::Member;
pub use place::Place;
pub use role::{Role, Running};
pub use stage::Stage;
pub use story::{Outcome, Story, tell};
