//! Follows the map of the settings, and refreshes those whose records have changed.
//!
//! Never keeps the settings alive, nor waits for the log on their behalf.

use std::collections::BTreeSet;
use std::sync::Weak;

use serde_json::Value;

use crate::recipes::settings::book::Book;
use crate::recipes::settings::keys::setting_of;
use crate::{QuarantineWatch, Watch};

/// What a map tells of its changes.
pub(crate) struct Ears {
    pub(crate) changes: Watch<String, Value>,
    pub(crate) quarantine: QuarantineWatch<String, Value>,
}

impl Ears {
    /// The keys of the settings of which something has changed; nothing when the map has ended.
    async fn hear(&mut self) -> Option<BTreeSet<String>> {
        let of = |key: &[u8]| setting_of(&String::from_utf8_lossy(key)).to_owned();
        tokio::select! {
            changes = self.changes.next() => {
                let changes = changes?;
                Some(changes.iter().map(|change| of(change.key().as_bytes())).collect())
            }
            changes = self.quarantine.next() => {
                let changes = changes?;
                let bad = changes.came_in().iter().chain(changes.left());
                Some(bad.map(|bad| of(bad.key())).collect())
            }
        }
    }
}

/// Goes on until the map ends, or nobody holds the settings any more.
pub(crate) async fn follow(book: Weak<Book>, mut ears: Ears) {
    while let Some(names) = ears.hear().await {
        let Some(book) = book.upgrade() else {
            return;
        };
        book.refresh(|key| names.contains(key));
    }
    if let Some(book) = book.upgrade() {
        book.end();
    }
}
