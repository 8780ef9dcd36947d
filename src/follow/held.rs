//! What the guard of a map withholds: the state that would be shown, and how long it waits.
//!
//! Nobody sees it, and it never decides what is withheld.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::entry::key::Key;
use crate::follow::staged::Staged;
use crate::ground::pace::Pace;
use crate::replica::guard::Step;
use crate::replica::state::State;
use crate::replica::withheld::Holding;

/// A state that follows on the published one, and is not shown yet.
pub(crate) struct Held<K, V> {
    pub(crate) state: Arc<State<K, V>>,
    /// The keys that are shown and gone from it, but for those that were deleted here.
    pub(crate) gone: HashSet<Arc<K>>,
    pub(crate) wait: Wait,
    /// How many doubts are settled when it is shown.
    pub(crate) doubts: u64,
}

impl<K: Key, V> Held<K, V> {
    pub(crate) fn told(&self, published: &State<K, V>) -> Holding {
        Holding {
            since: self.wait.since,
            position: self.state.position,
            gone: self.gone.len(),
            entries: self.state.entries.len(),
            is_new_epoch: is_new_epoch(published, &self.state),
        }
    }
}

/// What a state that would follow on the published one does to it.
pub(crate) fn step<K: Key, V>(published: &State<K, V>, next: &State<K, V>, gone: usize) -> Step {
    Step {
        before: published.entries.len(),
        gone,
        is_new_epoch: is_new_epoch(published, next),
    }
}

fn is_new_epoch<K: Key, V>(published: &State<K, V>, next: &State<K, V>) -> bool {
    // It may have kept its name.
    published.moved != next.moved
}

/// All of it as one step after what is published, however many it was.
pub(crate) async fn at_once<K: Key, V>(
    published: &State<K, V>,
    held: &State<K, V>,
) -> Staged<K, V> {
    let mut staged = Staged::after(held);
    let mut pace = Pace::new();
    for item in published.entries.diff(&held.entries) {
        staged.note(item);
        pace.step().await;
    }
    staged
}

/// How long something is withheld: only the time counts in which the log is followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) since: Instant,
    /// What is left of it; `None` is for ever.
    left: Option<Duration>,
    /// Since when it runs.
    runs: Option<Instant>,
}

impl Wait {
    /// Begins one that does not run yet.
    pub(crate) fn begin(now: Instant, time: Option<Duration>) -> Wait {
        Wait {
            since: now,
            left: time,
            runs: None,
        }
    }

    /// The log is followed from now on.
    pub(crate) fn run(&mut self, now: Instant) {
        self.runs.get_or_insert(now);
    }

    /// It is followed no more.
    pub(crate) fn pause(&mut self, now: Instant) {
        let Some(runs) = self.runs.take() else {
            return;
        };
        let ran = now.duration_since(runs);
        self.left = self.left.map(|left| left.saturating_sub(ran));
    }

    /// When it is over, if nothing comes in between.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.runs?.checked_add(self.left?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn only_the_time_counts_in_which_the_log_is_followed() {
        let begin = Instant::now();
        let at = |seconds| begin + seconds * SECOND;
        let mut wait = Wait::begin(begin, Some(10 * SECOND));
        assert_eq!(wait.due(), None);
        wait.run(at(5));
        wait.run(at(7));
        assert_eq!(wait.due(), Some(at(15)));
        wait.pause(at(9));
        wait.pause(at(11));
        assert_eq!(wait.due(), None);
        wait.run(at(20));
        assert_eq!(wait.due(), Some(at(26)));
        wait.pause(at(100));
        wait.run(at(101));
        assert_eq!(wait.due(), Some(at(101)));
        let mut for_ever = Wait::begin(begin, None);
        for_ever.run(begin);
        assert_eq!(for_ever.due(), None);
    }
}
