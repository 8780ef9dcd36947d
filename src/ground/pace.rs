//! Long work in short turns: others on the executor get theirs in between.
//!
//! It counts, and never looks at a clock, so that a run on a paused one can be repeated. What takes long and has no turns of
//! its own, freeing, is done on a thread for such work.

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
        if self.0 >= TURN {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// So many pieces are freed where they are; more are freed where nobody waits for it.
const FEW: usize = 1_000;

/// Frees something of so many pieces.
pub(crate) fn let_go<T: Send + 'static>(pieces: usize, what: T) {
    let is_long = pieces > FEW;
    if is_long && tokio::runtime::Handle::try_current().is_ok() {
        tokio::task::spawn_blocking(move || drop(what));
    }
}
