//! Puts into the history what was not published by a process that keeps one: what was put by hand.
//!
//! Never hurries: every process that sees it would do the same, and one is enough.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::ground::backoff::Backoff;
use crate::recipes::settings::append::record;
use crate::recipes::settings::book::Book;
use crate::recipes::settings::keys::LayerKeys;
use crate::recipes::settings::resolve::Unrecorded;
use crate::{Error, Result};

/// The longest it waits for somebody else to do it. Of 200 processes the first comes after some five milliseconds.
const LONGEST: Duration = Duration::from_secs(1);

/// The longest pause between attempts that fail.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Goes on until nobody holds the settings any more.
pub(crate) async fn keep_records(book: Weak<Book>, is_due: Arc<Notify>) {
    let mut pauses = Backoff::new(LONGEST, LONGEST_PAUSE);
    loop {
        is_due.notified().await;
        sleep(LONGEST.mul_f64(fastrand::f64())).await;
        let Some(book) = book.upgrade() else {
            return;
        };
        let due = book.take_due();
        let mut missing = Vec::new();
        book.each(|slot| {
            if due.contains(slot.key()) {
                let of_slot = slot.unrecorded().into_iter();
                missing.extend(of_slot.map(|missing| (slot.key().to_owned(), missing)));
            }
        });
        let mut failed = BTreeSet::new();
        for (key, missing) in missing {
            if complete(&book, &key, &missing)
                .await
                .is_err_and(|error| is_passing(&error))
            {
                failed.insert(key);
            }
        }
        if failed.is_empty() {
            pauses.reset();
            continue;
        }
        // Whoever closes the settings meanwhile need not wait for it.
        let held = Arc::downgrade(&book);
        drop(book);
        sleep(pauses.next()).await;
        if let Some(book) = held.upgrade() {
            failed.iter().for_each(|key| book.is_missing(key));
        }
    }
}

/// Adds what is missing in the history of a setting. Who may not write leaves it to others, or to who publishes next.
async fn complete(book: &Book, key: &str, missing: &Unrecorded) -> Result<()> {
    let keys = LayerKeys::new(key, &missing.layer)?;
    let recorded = record(&book.map, &keys, book.keep, missing).await;
    recorded.inspect_err(|error| {
        tracing::debug!(key = keys.value, %error, "what was put by hand is not in the history");
    })
}

/// Whether the same may succeed later.
fn is_passing(error: &Error) -> bool {
    error.can_retry_later() || error.can_retry_now() || error.may_be_committed()
}
