//! The names of everything that can go wrong.
//!
//! Only names: how often each happens stands in [`Faults`](crate::Faults).

use std::fmt;

/// One thing that goes wrong.
///
/// Those up to [`Fault::Restore`] are within what the contract of a log allows: an application must live with them. The
/// others break the contract, as servers with bugs have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A call, a batch or a page takes longer. Each tail has its own delays, so keyspaces are seen in different orders.
    Delay,
    /// A call fails with `Unavailable` before it reached the log.
    Refuse,
    /// A call has no answer until its deadline: `Unavailable`, or `Indeterminate` for a commit that never arrived.
    LoseRequest,
    /// A commit was judged by the log, but the answer is lost: `Indeterminate`.
    LoseReply,
    /// A commit reported as `Indeterminate` reaches the log later, and lands if its preconditions still hold then.
    LandLate,
    /// A commit is held on its way, without an answer until its deadline (`Indeterminate`) or until its caller gives up.
    /// It reaches the log later, but never after a later commit of this client was acknowledged: the outcome is fenced.
    HoldRequest,
    /// A tail breaks.
    CutTail,
    /// A tail delivers nothing for a while, then breaks: a connection whose other end froze.
    SilenceTail,
    /// A tail is served by a member that lags behind: what comes on it comes slowly, one batch after another.
    LagTail,
    /// Progress is reported up to right before a batch.
    Progress,
    /// A page of a snapshot comes in two parts.
    SplitPage,
    /// A snapshot breaks off between two pages.
    CutSnapshot,
    /// A page does not come for a while, then the snapshot breaks off: a connection whose other end froze.
    SilenceSnapshot,
    /// An operator compacts the history, up to the newest commit or not quite.
    Compact,
    /// An operator makes a backup.
    Backup,
    /// An operator goes back to the last backup: commits made since are lost, and the epoch is another.
    Restore,
    /// A batch is left out.
    SkipBatch,
    /// Part of a batch of several changes is left out.
    HalveBatch,
    /// Two batches come in the wrong order.
    SwapBatches,
    /// A batch comes twice.
    RepeatBatch,
    /// Progress is claimed beyond what was delivered, or even committed.
    LieProgress,
    /// A tail falls silent for ever, without breaking.
    MuteTail,
    /// A page of a snapshot never comes.
    MuteSnapshot,
    /// `head` answers with an older position.
    StaleHead,
    /// A record is missing from a snapshot.
    HoleInSnapshot,
    /// A snapshot is an old one, taken for current.
    OldSnapshot,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 26] = [
        Fault::Delay,
        Fault::Refuse,
        Fault::LoseRequest,
        Fault::LoseReply,
        Fault::LandLate,
        Fault::HoldRequest,
        Fault::CutTail,
        Fault::SilenceTail,
        Fault::LagTail,
        Fault::Progress,
        Fault::SplitPage,
        Fault::CutSnapshot,
        Fault::SilenceSnapshot,
        Fault::Compact,
        Fault::Backup,
        Fault::Restore,
        Fault::SkipBatch,
        Fault::HalveBatch,
        Fault::SwapBatches,
        Fault::RepeatBatch,
        Fault::LieProgress,
        Fault::MuteTail,
        Fault::MuteSnapshot,
        Fault::StaleHead,
        Fault::HoleInSnapshot,
        Fault::OldSnapshot,
    ];

    /// Whether a log that keeps the contract can never do this.
    #[must_use]
    pub fn breaks_the_contract(self) -> bool {
        self > Fault::Restore
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
