//! The names of everything that can go wrong.
//!
//! Only names: how often each happens stands in [`Faults`](crate::Faults).

use std::fmt;

/// One thing that goes wrong.
///
/// Those up to [`Fault::Restore`] are within what the contract of a log allows: an application must live with them. The
/// others break the contract, as servers with bugs have done. How often each happens, and how long what takes time may
/// last, is said by [`Faults`](crate::Faults); how often it has happened by
/// [`FaultyLog::injected`](crate::FaultyLog::injected).
///
/// Each is drawn once for what it can happen to: a call, a tail that opens, a batch, a page. What happens to a page of a
/// snapshot happens to one of a difference as well. The front page says [what
/// an application sees](crate#what-the-contract-allows) of each, and [who
/// finds](crate#what-breaks-it-and-what-globe-then-does) what breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A call, a batch or a page takes longer, by up to [`Faults::delay`](crate::Faults::delay); of a call, the way
    /// there and the way back are drawn apart. Each tail has its own delays, so keyspaces are seen in different orders.
    Delay,
    /// A call fails with `Unavailable` before it reached the log. Nothing was written.
    Refuse,
    /// A call has no answer for up to [`Faults::silence`](crate::Faults::silence), and never arrived: `Unavailable`, or
    /// `Indeterminate` for a commit, whose caller cannot know that.
    LoseRequest,
    /// A commit was judged by the log, but the answer is lost: `Indeterminate`, after up to
    /// [`Faults::silence`](crate::Faults::silence).
    LoseReply,
    /// A commit reported as `Indeterminate` reaches the log later, by up to
    /// [`Faults::lateness`](crate::Faults::lateness), and lands if its preconditions still hold then. As a log without
    /// a fence: where this was ever possible, the capabilities say so.
    LandLate,
    /// A commit is held on its way, without an answer for up to [`Faults::silence`](crate::Faults::silence) or until
    /// its timeout (`Indeterminate`), or until its caller gives up. It reaches the log up to
    /// [`Faults::lateness`](crate::Faults::lateness) later, but never after a later commit of this client was
    /// acknowledged: the outcome is fenced.
    HoldRequest,
    /// A tail breaks with `Unavailable` instead of delivering its next batch.
    CutTail,
    /// A tail delivers nothing for up to [`Faults::silence`](crate::Faults::silence), then breaks with `Unavailable`: a
    /// connection whose other end froze.
    SilenceTail,
    /// A tail is served by a member that lags behind: what comes on it comes slowly, one batch after another, each
    /// later by the same time of up to four times [`Faults::delay`](crate::Faults::delay). Drawn once, when the tail
    /// opens.
    LagTail,
    /// Progress is reported up to right before a batch, if the tail was not that far.
    Progress,
    /// A page of a snapshot with more than one record comes in two parts.
    SplitPage,
    /// A snapshot breaks off between two pages with `Unavailable`.
    CutSnapshot,
    /// A page does not come for up to [`Faults::silence`](crate::Faults::silence), then the snapshot breaks off with
    /// `Unavailable`: a connection whose other end froze.
    SilenceSnapshot,
    /// An operator compacts the history after a commit, up to that commit or up to four revisions before it. Whoever is
    /// behind that is told `Compacted`. Needs an [`Operator`](crate::Operator), as the two that follow.
    Compact,
    /// An operator makes a backup after a commit. The last one counts.
    Backup,
    /// An operator goes back to the last backup, if there is one: commits made since are lost, and the epoch is
    /// another. The backup is used up by that.
    Restore,
    /// A batch with changes is left out of a tail.
    SkipBatch,
    /// The last changes of a batch of several are left out.
    HalveBatch,
    /// Two batches come in the wrong order: the later one first.
    SwapBatches,
    /// A batch comes twice.
    RepeatBatch,
    /// Progress is claimed up to 19 revisions beyond what was delivered, or even committed.
    LieProgress,
    /// A tail falls silent for ever, without breaking. It stays so after [`FaultyLog::heal`](crate::FaultyLog::heal).
    MuteTail,
    /// A page of a snapshot never comes: whoever waits for it without a bound waits for ever.
    MuteSnapshot,
    /// `head`, or `recent_head`, answers with a position up to 20 revisions older.
    StaleHead,
    /// A record is missing from a page of a snapshot.
    HoleInSnapshot,
    /// A snapshot is an old one, taken for current: the first that was taken of the keyspace while this was possible,
    /// which is kept in memory for it.
    OldSnapshot,
}

impl Fault {
    /// All of them, in the order they are declared in: for a test that goes through them one by one.
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
    ///
    /// ```
    /// use globe_faulty::Fault;
    ///
    /// assert!(!Fault::Restore.breaks_the_contract()); // rare, but allowed
    /// assert!(Fault::SkipBatch.breaks_the_contract());
    /// ```
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
