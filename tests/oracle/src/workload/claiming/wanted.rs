//! What a claimant may want, and how long it waits for it.
//!
//! Only words: nothing is asked for here.

use tokio::time::Duration;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    Lock,
    Reading,
    Writing,
    Permits,
    Leading,
}

impl Wanted {
    pub(crate) const ALL: [Wanted; 5] = [
        Wanted::Lock,
        Wanted::Reading,
        Wanted::Writing,
        Wanted::Permits,
        Wanted::Leading,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Wanted::Lock => "lock",
            Wanted::Reading | Wanted::Writing => "rw_lock",
            Wanted::Permits => "semaphore",
            Wanted::Leading => "election",
        }
    }
}

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Now or not at all.
    None,
    /// For so long.
    Within(Duration),
    /// For as long as it takes; but the future is dropped after so long.
    Dropped(Duration),
    /// For as long as it takes.
    Endless,
}
