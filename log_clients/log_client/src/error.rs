//! The one error of Globe and its logs, with kinds chosen by what the caller can do next.
//!
//! No kind is named after a dependency, and no error ever holds a value or a secret that could be printed.

use std::fmt;
use std::sync::Arc;

use crate::conflict::Conflict;
use crate::position::Position;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Arc<dyn std::error::Error + Send + Sync>;

/// What went wrong: a [`kind`](Error::kind) to decide by, a sentence to read, and the cause, if there is one.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    context: Arc<str>,
    source: Option<Source>,
}

/// What the caller can do next. A kind that you do not know answers all the same: ask the [`Error`], by
/// [`may_be_committed`](Error::may_be_committed) and the questions beside it. `docs/errors.md` is a table of all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A precondition did not hold. Nothing was written; inside is what stands there. Look again and decide anew.
    Conflict(Conflict),
    /// The write may or may not have been committed, and nothing could prove which. It was not repeated. Read, and
    /// decide anew. Until the log is reached again it may even be committed yet: a server that is cut off from the others
    /// may hold it. Where commits are [fenced](crate::Capabilities::fenced), this client's next commit ends that.
    Indeterminate,
    /// Committed at the position inside, but not yet visible here by the deadline. Do not repeat it; wait for it.
    Behind(Position),
    /// The log has forgotten the history asked for. Take a snapshot.
    Compacted,
    /// The log was restored, wiped, replaced or rolled back: it is in another life now. Take a snapshot. As the answer to a
    /// write: it was guarded by what stood in the life before, and nothing was written; or it was committed in that life,
    /// and whether the life that followed begins with it is not known. Read, and decide anew.
    EpochChanged,
    /// The log cannot be reached or cannot answer now; nothing was written. Try again later.
    Unavailable,
    /// The lease has ended, and what was written under it is gone or going. Grant another and write again.
    LeaseLost,
    /// What was to guard it (a lock, a term, a claim) is not held, or not any more. Nothing was written. Stop what relies on
    /// it, and acquire it anew.
    NotHeld,
    /// Others hold what was asked for, and did not let go in time. Nothing was taken.
    Busy,
    /// What is known here is older than was asked for, and nothing newer could be had in time.
    Stale,
    /// The credentials or certificates are wrong, or do not allow it. A person has to change something.
    Denied,
    /// A size or count over a limit of the log. Split it, or make it smaller. More may be told of it one day: match with `..`,
    /// and make one by [`Error::too_large`].
    #[non_exhaustive]
    TooLarge {
        /// The most the log takes.
        limit: usize,
        /// What it was given.
        actual: usize,
    },
    /// The log has no space left and refuses writes; nothing was written. Reads go on. An operator has to make room.
    Full,
    /// A key or value could not be encoded or decoded.
    Codec,
    /// An argument or setting is wrong. Nothing was sent.
    Invalid,
    /// This log cannot do that (see [`Capabilities`](crate::Capabilities)), or this build cannot.
    Unsupported,
    /// It was closed.
    Closed,
    /// The caller's own closure gave up. Nothing was written.
    Aborted,
    /// Code of the caller's (`Hash`, `Ord`, `Clone` or `Drop` of a key or value) panicked where the map cannot go on
    /// without it. A bug has to be mended.
    Panicked,
}

impl Error {
    /// An error with a sentence that says what was being done and what was wrong: with keys, limits and addresses,
    /// never with values or credentials.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Error {
        Error {
            kind,
            context: context.into().into(),
            source: None,
        }
    }

    /// Adds the cause. Its `Display` is shown to people: it must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same error, saying first what was being done.
    #[must_use]
    pub fn while_doing(mut self, doing: impl fmt::Display) -> Error {
        self.context = format!("{doing}: {}", self.context).into();
        self
    }

    /// A precondition failed.
    #[must_use]
    pub fn conflict(conflict: Conflict) -> Error {
        let context = conflict.to_string();
        Error::new(ErrorKind::Conflict(conflict), context)
    }

    /// A size or count was over a limit of the log; `context` as in [`Error::new`].
    ///
    /// ```
    /// # use globe_log_client::{Error, ErrorKind};
    /// let error = Error::too_large(128, 200, "the transaction has 200 writes");
    /// assert!(matches!(*error.kind(), ErrorKind::TooLarge { limit: 128, actual: 200, .. }));
    /// ```
    pub fn too_large(limit: usize, actual: usize, context: impl Into<String>) -> Error {
        Error::new(ErrorKind::TooLarge { limit, actual }, context)
    }

    /// What the caller can do next.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What was being done and what was wrong, without the kind and without the cause.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Whether a precondition failed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind, ErrorKind::Conflict(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.context)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Conflict(_) => f.write_str("conflict"),
            ErrorKind::Indeterminate => f.write_str("outcome unknown"),
            ErrorKind::Behind(position) => {
                write!(f, "committed at {position}, not yet visible here")
            }
            ErrorKind::Compacted => f.write_str("history compacted"),
            ErrorKind::EpochChanged => f.write_str("the log is in another life"),
            ErrorKind::Unavailable => f.write_str("log unavailable"),
            ErrorKind::LeaseLost => f.write_str("lease lost"),
            ErrorKind::NotHeld => f.write_str("not held"),
            ErrorKind::Busy => f.write_str("busy"),
            ErrorKind::Stale => f.write_str("too old"),
            ErrorKind::Denied => f.write_str("denied"),
            ErrorKind::TooLarge { limit, actual } => {
                write!(f, "too large ({actual}, limit {limit})")
            }
            ErrorKind::Full => f.write_str("the log is full"),
            ErrorKind::Codec => f.write_str("codec"),
            ErrorKind::Invalid => f.write_str("invalid"),
            ErrorKind::Unsupported => f.write_str("unsupported"),
            ErrorKind::Closed => f.write_str("closed"),
            ErrorKind::Aborted => f.write_str("aborted"),
            ErrorKind::Panicked => f.write_str("panicked"),
        }
    }
}
