//! What says that a shard is owned: the handle of who serves it, and the guard of one piece of work.
//!
//! Never says so without a look at what ended it, and in strict mode at the clocks.

use std::fmt;
use std::sync::Arc;

use crate::fence::sealed;
use crate::recipes::shards::pass::Pass;
use crate::recipes::shards::seat::Seat;
use crate::recipes::shards::table::Owner;
use crate::recipes::shards::tenure::Tenure;
use crate::{Error, ErrorKind, Fenced, Loss, Result, Token, Txn};

/// A shard that this member owns, from the step that says so to the one that ends it. Clones are the same.
///
/// What must not be done twice carries its [`token`](Fenced::token), whose number is the term, or is committed with
/// [`Txn::require`].
#[derive(Clone)]
pub struct OwnedShard {
    tenure: Arc<Tenure>,
}

impl OwnedShard {
    pub(crate) fn new(tenure: Arc<Tenure>) -> OwnedShard {
        OwnedShard { tenure }
    }

    fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Which shard.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.tenure.row().shard
    }

    /// The how-manieth of its owners this is: 0 for the first.
    #[must_use]
    pub fn replica(&self) -> u32 {
        self.tenure.row().replica
    }

    /// Whether this member prepared for it, or owned it, just before.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        self.tenure.is_warm()
    }

    /// Waits until this member is to stop serving it, or has lost it. Cancel safe.
    pub async fn draining(&self) {
        self.tenure.draining().await;
    }

    /// Waits until it is owned no more, and says why: [`Loss::Displaced`] where somebody else owns it. Cancel safe.
    pub async fn lost(&self) -> Loss {
        self.tenure.over().await
    }
}

/// One piece of work on a shard, let in by [`Shards::enter`](crate::Shards::enter): a planned hand-over waits until it is
/// dropped, so keep it for as long as the work takes, and no longer.
#[must_use = "a hand-over waits for it until it is dropped"]
pub struct ShardGuard {
    pass: Arc<Pass>,
}

impl ShardGuard {
    /// Comes in.
    #[inline]
    pub(crate) fn enter(seat: &Seat) -> Option<ShardGuard> {
        let guard = ShardGuard {
            pass: seat.enter()?,
        };
        // After it came in: whoever closes the seat because of a clock has looked at it before.
        guard.tenure().may_serve().then_some(guard)
    }

    #[inline]
    fn tenure(&self) -> &Tenure {
        self.pass.tenure()
    }

    /// Which shard.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.tenure().row().shard
    }

    /// Whether the shard has been owned without a break since this guard was had, and still is: to be asked after each await
    /// of a long work.
    #[must_use]
    pub fn still(&self) -> bool {
        self.tenure().is_held()
    }
}

/// What both of them are.
macro_rules! fenced {
    ($($guard:ident),*) => {$(
        impl sealed::Sealed for $guard {
            fn require_in(&self, txn: &mut Txn<'_>) -> Result<()> {
                self.tenure().require_in(txn)
            }
        }

        impl Fenced for $guard {
            fn token(&self) -> Token {
                self.tenure().token()
            }

            fn is_held(&self) -> bool {
                self.tenure().is_held()
            }
        }

        impl fmt::Debug for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($guard))
                    .field("shard", &self.shard())
                    .field("token", &self.token())
                    .finish_non_exhaustive()
            }
        }
    )*};
}
fenced!(OwnedShard, ShardGuard);

/// This member does not own the shard, or cannot be sure of it: whoever does, as far as this process sees.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NotOwner {
    /// Which shard.
    pub shard: u32,
    /// Who owns it, by the local table: to forward to. It may be this very member, where it cannot be sure of its session.
    pub owner: Option<Owner>,
}

impl fmt::Display for NotOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shard = self.shard;
        match &self.owner {
            Some(owner) => write!(
                f,
                "the shard {shard} is not served here, but by {}",
                owner.member().id()
            ),
            None => write!(f, "the shard {shard} is not served here, and has no owner"),
        }
    }
}

impl std::error::Error for NotOwner {}

impl From<NotOwner> for Error {
    fn from(not: NotOwner) -> Error {
        Error::new(ErrorKind::NotHeld, not.to_string())
    }
}
