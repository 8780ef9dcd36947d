//! What the state of a tail is told at its start, what it asks, and what it has done next.
//!
//! Never decides anything: these are the words between `state`, which decides, and `tailing`, which acts.

use globe_log_client::Position;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::tail::fragments::WholeCommit;

/// What progress of a member is worth. Known from the version of its server, or found out by what it does; that it is
/// mute is remembered by address, so that the next tail begins with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It comes when asked for, after all events up to its revision.
    Ordered,
    /// It would be, but nobody answers: as behind `etcd grpc-proxy`.
    Mute,
    /// It proves nothing: the server is too old.
    Unordered,
}

/// What is known of a watch when it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Everything up to here is known.
    pub(crate) after: Position,
    /// What is committed.
    pub(crate) head: Position,
    pub(crate) progress: Progress,
    /// A watch that begins while its start is compacted misses no delete.
    pub(crate) keeps_deletes: bool,
}

/// What only the log can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// Does the member still answer on the watch's connection?
    Alive,
    /// Did nothing change in the keyspace between these revisions?
    Quiet(u64, u64),
    /// Is the history after this revision still there?
    History(u64),
    /// Another watch after this revision; whether on a stream of its own.
    Watch(u64, bool),
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Action {
    Give(WholeCommit),
    /// Have progress asked for until this revision is reached.
    Want(u64),
    /// Any question before it is dropped.
    Ask(Query),
    /// The watch broke: whoever opens the next one shall use another member.
    Break(Fault),
    /// The tail is over.
    Fail(Fault),
    /// Nothing, until something happens or this time comes.
    Wait(Option<Instant>),
}
