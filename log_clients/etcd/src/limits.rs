//! How much one transaction may hold: as it was set, until a server turns out to take less.
//!
//! Never finds out itself: see `learning`.

use std::sync::atomic::AtomicUsize;

use crate::settings::commit_settings::CommitSettings;

/// What this client takes in one transaction.
pub(crate) struct Limits {
    pub(crate) operations: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
    /// Held by who asks the server, so that it is asked once.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Limits {
    pub(crate) fn new(settings: &CommitSettings) -> Limits {
        Limits {
            operations: AtomicUsize::new(settings.max_operations),
            bytes: AtomicUsize::new(settings.max_transaction_bytes),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_most_servers_take() {
        let limits = Limits::new(&CommitSettings::default());
        assert_eq!(limits.operations.into_inner(), 127);
        assert_eq!(limits.bytes.into_inner() / 5 * 4, 1024 * 1024);
    }
}
