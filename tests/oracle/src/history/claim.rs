//! What was claimed: sessions, entries that stand as long as they do, guards, and what was done under them.
//!
//! It judges nothing.

use globe::{SessionState, Token};
use serde::{Deserialize, Serialize};

use super::{At, Outcome, Place};

/// Claims were played: how, and by which bounds they are judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRun {
    /// How long the lease of every session lives.
    pub ttl_micros: u64,
    /// The bounds.
    pub limits: ClaimLimits,
}

/// The bounds that claims are judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimLimits {
    /// What ends with a lease is gone so long after the lease could have ended, at the latest.
    pub outlive_micros: u64,
    /// Who asks after all is mended is let in within this, and what is left behind is swept.
    pub settle_micros: u64,
    /// How much later than it was committed the truth may hear of something.
    pub lag_micros: u64,
    /// The fewest guards that were had.
    pub min_grants: usize,
    /// The fewest looks at guards that were held.
    pub min_looks: usize,
    /// The fewest guards and sessions that were seen suspended or lost.
    pub min_losses: usize,
    /// The fewest effects under a guard: writes that landed, and what a gate admitted.
    pub min_effects: usize,
}

impl Default for ClaimLimits {
    fn default() -> ClaimLimits {
        ClaimLimits {
            outlive_micros: 2_000_000,
            settle_micros: 30_000_000,
            lag_micros: 1_000_000,
            min_grants: 1,
            min_looks: 1,
            min_losses: 0,
            min_effects: 0,
        }
    }
}

/// How a session or a guard said that it stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// A lease that lives; a guard that is held.
    Live,
    /// It may have ended.
    Suspended,
    /// It has ended, and why.
    Lost(String),
}

impl From<SessionState> for Standing {
    fn from(state: SessionState) -> Standing {
        match state {
            SessionState::Live => Standing::Live,
            SessionState::Suspended => Standing::Suspended,
            SessionState::Lost(loss) => Standing::Lost(loss.to_string()),
            // What this cannot name proves nothing: neither held, nor lost.
            _ => Standing::Suspended,
        }
    }
}

/// Something about a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStep {
    /// Which.
    pub session: u32,
    /// On which node.
    pub node: u32,
    /// What.
    pub did: SessionDid,
    /// When it began.
    pub call: At,
    /// When it had ended.
    pub ret: At,
}

/// What a session did, or was seen to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionDid {
    /// It was opened, under a name that no other session of the run has.
    Opened(String),
    /// It was asked how it stood.
    Seen {
        /// How it stood.
        standing: Standing,
        /// It told of something since it was asked before: it was not live all the while.
        was_away: bool,
    },
    /// It was closed; whether it was said that its leases are revoked.
    Closed(bool),
    /// Its last handle was dropped.
    Dropped,
}

/// Something about an entry that is to stand as long as its session. Its key is used once, and its tag is its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryStep {
    /// Whose it is.
    pub session: u32,
    /// Where.
    pub place: Place,
    /// It was written; or else deleted.
    pub is_put: bool,
    /// When it began.
    pub call: At,
    /// When it returned; `None` when it was abandoned.
    pub ret: Option<At>,
    /// What it returned.
    pub outcome: Outcome,
}

/// How a claim shares with others of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Share {
    /// With nobody: a lock, a writer, a leader.
    Alone,
    /// With others that read.
    Reads,
    /// So many permits, of so many.
    Permits(u32, u32),
}

/// Something was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimAsked {
    /// Which: no two have one number.
    pub claim: u32,
    /// Under which session.
    pub session: u32,
    /// On which node.
    pub node: u32,
    /// What the keys of its name begin with: `lock/invoices`.
    pub root: String,
    /// How it shares.
    pub share: Share,
    /// It waits for as long as it takes.
    pub is_patient: bool,
    /// When.
    pub at: At,
}

/// Something about a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimStep {
    /// Which.
    pub claim: u32,
    /// What.
    pub did: ClaimDid,
    /// When it began.
    pub call: At,
    /// When it had ended.
    pub ret: At,
}

/// What became of a claim, or how it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimDid {
    /// A guard was had, with this token.
    Granted(Token),
    /// None was had, and why.
    Refused(String),
    /// Nobody waits for it any more.
    Abandoned,
    /// The guard was asked how it stood, or waited until it stood so: it did at some moment in between.
    Seen(Standing),
    /// It was released; whether it was said to be gone.
    Released(bool),
    /// The guard was dropped.
    LetGo,
}

/// A write was attempted that may only land while a claim is held. It is an operation as well, with this tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fenced {
    /// Under which claim.
    pub claim: u32,
    /// The tag of the attempt.
    pub tag: String,
    /// When.
    pub at: At,
}

/// Something was done under a claim at a resource outside of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Under which claim.
    pub claim: u32,
    /// At which resource.
    pub gate: String,
    /// With which token.
    pub token: Token,
    /// What its gate said.
    pub verdict: Verdict,
    /// When: those of one gate are recorded in their order.
    pub at: At,
}

/// What the gate of a resource said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Come in.
    Admitted,
    /// Stay out.
    Refused,
    /// It has no gate: whoever comes is let in.
    Unguarded,
}

/// A third party ended something before its time: its owner learns of that only from the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meddled {
    /// All that stands under a lease of the session of this name; or else the record of this place.
    pub whose: Meddling,
    /// When it began.
    pub call: At,
    /// From when on nothing more can be ended by it; `None` if that is not known.
    pub ret: Option<At>,
}

/// What a third party ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meddling {
    /// A lease of the session of this name.
    Session(String),
    /// One record.
    Record(Place),
}
