//! Where the log was last seen to stand: what tails wait for.
//!
//! Never says what has changed: whoever waits for it looks at the file.

use globe_log_client::Position;
use tokio::sync::watch::Sender;

use crate::waking::wake;

/// Nothing while it cannot be looked at.
pub(crate) type Seen = Option<Position>;

/// Wakes whoever waits, if it is new.
pub(crate) fn tell(seen: &Sender<Seen>, found: Seen) {
    wake(|| {
        seen.send_if_modified(|seen| {
            let is_new = is_new(*seen, found);
            if is_new {
                *seen = found;
            }
            is_new
        });
    });
}

/// Two threads tell it, and the one may have looked before the other.
fn is_new(seen: Seen, found: Seen) -> bool {
    match (seen, found) {
        (Some(seen), Some(found)) => !seen.covers(found),
        (seen, found) => seen != found,
    }
}
