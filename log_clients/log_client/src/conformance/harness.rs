//! What the suite asks of a backend's own tests: a log, and what only its operator can do to it.
//!
//! Never decides whether a case passes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::client::LogClient;
use crate::position::Revision;

/// How long one case may take altogether.
const CASE: Duration = Duration::from_secs(120);

/// What happens on the line of [`Harness::frail`]. A harness that is asked for one it does not know shall panic: the case
/// that wants it fails, and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Line {
    /// Everything passes. What was held arrives now, even if its sender has long given up.
    Well,
    /// Nothing passes, in either direction, and nothing is refused or broken.
    Frozen,
    /// What was frozen stays so, and what is sent anew passes: over another connection, as a rule.
    Renewed,
}

/// A log to run the suite on.
///
/// The log must take at least eight operations in a transaction.
///
/// The methods with a default body are what not every log can do; each says what its case checks without it.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// A running log that nobody else uses: cases forget its history. If it cannot be had this panics and says what to
    /// install; a case is never skipped. Where snapshots have a page size, make it small. Dropping the harness ends it.
    async fn start() -> Self
    where
        Self: Sized;

    /// The client under test: the same one at every call.
    fn log(&self) -> Arc<dyn LogClient>;

    /// An independent client of the same log; where there is no such thing, a clone.
    async fn another(&self) -> Arc<dyn LogClient>;

    /// Makes the log forget its history up to and including `revision`.
    async fn compact(&self, revision: Revision);

    /// Takes the log away (frozen, killed, cut off) or brings the same log back, and says whether it could. Without it,
    /// the cases of `outage` that need it (`every_call_ends_while_the_log_is_away_and_works_when_it_is_back` and those after
    /// it) only see calls to a log that is there.
    async fn set_reachable(&self, _reachable: bool) -> bool {
        false
    }

    /// Makes the log another one that is empty, at the same address, and says whether it could. Without it,
    /// `a_wiped_log_is_in_another_epoch` only sees that a position of no life of this log is refused, and the cases of leases
    /// see one life less.
    async fn wipe(&self) -> bool {
        false
    }

    /// Makes a backup of the log as it is now, and says whether it could. Without it,
    /// `a_reply_across_a_restore_is_of_the_life_its_commit_is_in` only sees that a guard of another life is refused, and
    /// `a_lease_that_a_restore_brings_back_is_lost_to_who_held_it` that a lease of another life is.
    async fn backup(&self) -> bool {
        false
    }

    /// Goes back to the backup, at the same address.
    async fn restore(&self) {}

    /// A client of its own, whose line to the log can freeze. Without one, the cases of `line` only see one that is well.
    async fn frail(&self) -> Option<Arc<dyn LogClient>> {
        None
    }

    /// What happens on that line from now on.
    async fn set_line(&self, _line: Line) {}

    /// A client whose requests reach the log and whose answers to commits get lost. Without it,
    /// `a_commit_whose_reply_was_lost_is_never_a_plain_failure` only sees commits whose reply arrives.
    async fn deaf(&self) -> Option<Arc<dyn LogClient>> {
        None
    }

    /// A client with wrong credentials. Without it, `what_only_a_person_can_mend_is_denied` only sees that a client with
    /// the right ones is not refused.
    async fn stranger(&self) -> Option<Arc<dyn LogClient>> {
        None
    }
}

/// Runs one case on a log of its own.
pub async fn run<H: Harness>(case: impl AsyncFnOnce(&dyn Harness)) {
    let harness = H::start().await;
    let outcome = tokio::time::timeout(CASE, case(&harness)).await;
    assert!(outcome.is_ok(), "the case took longer than {CASE:?}");
}
