//! How a session stands, and what has happened to it.
//!
//! Only words: nothing here decides anything.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::Keyspace;

/// How a session stands, by the clocks of this very moment: see [`Session::state`](crate::Session::state).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SessionState {
    /// Its lease is alive: the log will end it at the end of [`Session::time_left`](crate::Session::time_left) at the
    /// earliest.
    Live,
    /// The lease was not renewed for so long that it may have ended. Nothing exclusive may be done. It may turn out that it
    /// has not ended: then the session is live again, and what it holds is held as if nothing had been.
    Suspended,
    /// The lease is gone. But for [`Loss::Closed`] the session is taking another one.
    Lost(Loss),
}

/// Why something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Loss {
    /// The lease was not renewed in time, and the log ended it.
    Expired,
    /// Somebody ended the lease before its time.
    Revoked,
    /// The log was restored, wiped or replaced: it is in another life.
    EpochChanged,
    /// The session was closed, or gave up.
    Closed,
    /// Of a claim: somebody deleted it, or wrote over it.
    Displaced,
    /// Of a claim: it was held for as long as it might be.
    HoldBound,
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionState::Live => f.write_str("live"),
            SessionState::Suspended => f.write_str("suspended"),
            SessionState::Lost(loss) => write!(f, "lost ({loss})"),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::Expired => "its lease was not renewed in time",
            Loss::Revoked => "its lease was revoked",
            Loss::EpochChanged => "the log is in another life",
            Loss::Closed => "it was closed",
            Loss::Displaced => "somebody else deleted or overwrote it",
            Loss::HoldBound => "it was held for as long as it might be",
        })
    }
}

/// What happened to a session: see [`Session::events`](crate::Session::events).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Its lease may have ended: [`SessionState::Suspended`].
    Suspended,
    /// Its lease has not ended: it is live again, and all it held is held.
    Resumed,
    /// Its lease is gone.
    Lost(Loss),
    /// It is live again under another lease, and its entries are back.
    #[non_exhaustive]
    Restored {
        /// How many entries were written again.
        put_back: usize,
        /// The entries that were not, because others stand there now.
        kept_out: Arc<[(Keyspace, String)]>,
    },
    /// An entry of the session was written over by somebody else, or (under [`Policy::GiveUp`](crate::Policy::GiveUp))
    /// deleted: the session wants it no more.
    #[non_exhaustive]
    Displaced {
        /// The keyspace of the entry.
        keyspace: Keyspace,
        /// Its key, as it stands in the log.
        key: String,
    },
    /// So many events were not heard in time, and are forgotten.
    Missed(u64),
}

/// How a session is doing: see [`Session::status`](crate::Session::status). It is written as JSON by serde.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SessionStatus {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: SessionState,
    /// How long its lease lives without a renewal.
    pub ttl: Duration,
    /// Until when the lease lives at least; zero unless it is live.
    pub time_left: Duration,
    /// Over how many leases its entries are spread.
    pub leases: usize,
    /// How many entries it wants to stand, in all maps.
    pub entries: usize,
    /// The keyspaces of the maps that keep it from being live, because they have not shown yet what happened while it was
    /// not. To go on without one, close that map.
    pub behind: Vec<String>,
    /// What went wrong when the log was last asked, if it has not answered since.
    pub last_error: Option<String>,
}
