//! Long work in short turns: others on the executor get theirs in between.
//!
//! It counts, and never looks at a clock, so that a run on a paused one can be repeated.

/// So many pieces of work take about a millisecond at most: each decodes, compares or stores one entry.
const TURN: u32 = 256;

/// How much of the present turn is used up.
#[derive(Debug, Default)]
pub(crate) struct Pace(u32);

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace::default()
    }

    /// One more piece of work is done.
    pub(crate) async fn step(&mut self) {
        self.0 += 1;
        if self.0 >= TURN && !mutant!("work_without_turns") {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}
