//! Puts into the history what was not published by a process that keeps one: what was put by hand.
//!
//! Never hurries: every process that sees it would do the same, and one is enough.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::recipes::settings::append::record;
use crate::recipes::settings::book::Book;
use crate::recipes::settings::keys::LayerKeys;

/// The longest it waits for somebody else to do it. Of 200 processes the first comes after some five milliseconds.
const LONGEST: Duration = Duration::from_secs(1);

/// Goes on until nobody holds the settings any more.
pub(crate) async fn keep_records(book: Weak<Book>, is_due: Arc<Notify>) {
    loop {
        is_due.notified().await;
        sleep(LONGEST.mul_f64(fastrand::f64())).await;
        let Some(book) = book.upgrade() else {
            return;
        };
        let due = book.take_due();
        for slot in book.slots().iter().filter(|slot| due.contains(slot.key())) {
            for missing in slot.unrecorded() {
                let Ok(keys) = LayerKeys::new(slot.key(), &missing.layer) else {
                    continue;
                };
                // Somebody else was faster, it may not write, or the log is away: another look at the setting tries again.
                if let Err(error) = record(&book.map, &keys, book.keep, &missing).await {
                    tracing::debug!(key = keys.value, %error, "what was put by hand is not in the history");
                }
            }
        }
    }
}
