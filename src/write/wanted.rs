//! What a session wants to stand at a key, what it knows of that, and what a write makes of it.
//!
//! Never says what stands there: that is judged by what the map shows.

use std::any::Any;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use globe_log_client::{Epoch, LeaseId, Revision};

use crate::write::leasing::Leasing;

/// A value, of whatever type the map has.
pub(crate) type AnyValue = Arc<dyn Any + Send + Sync>;

/// What is to stand at a key: a value that was seen there, or as it was sent.
#[derive(Clone)]
pub(crate) enum WantedValue {
    Decoded(AnyValue),
    Encoded(Bytes),
}

/// What is to stand at a key.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) value: WantedValue,
    /// False after a write whose outcome is not known: then what the tail shows counts.
    pub(crate) is_sure: bool,
    /// The life of the log it is from.
    pub(crate) life: Epoch,
    /// Of a claim, the commit that created it: it counts only while that stands, and is never put back.
    pub(crate) claim: Option<Revision>,
    /// Of a write whose outcome is not known, what it was sent over: as long as that stands it may land, and no longer.
    pub(crate) over: Option<Revision>,
}

/// What a session knows of a key, when it judges what stands there.
#[derive(Clone)]
pub(crate) enum Wish {
    /// It wants nothing there.
    None,
    /// A write of its own is under way: what stands there will be judged after that.
    UnderWay,
    /// What was written last is not to be seen yet: nothing can be said before it is.
    Unseen,
    Wanted(Wanted),
}

/// What a write is about to do to a key.
pub(crate) enum Intent {
    /// It is to stand there as long as the session does.
    Want {
        session: Weak<dyn Leasing>,
        lease: LeaseId,
        /// The life of the log it is to be written in.
        life: Epoch,
        value: WantedValue,
        is_claim: bool,
    },
    /// It gets another value, under the lease it has.
    Keep { value: WantedValue },
    /// The caller deletes it, or takes it off its lease.
    Leave,
}
