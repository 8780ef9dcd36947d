//! What a failed exchange with a server means, by what may be done next.
//!
//! Never says why it failed.

/// What a failed exchange means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// No server received it.
    NeverSent,
    /// No server received it, because its connection had ended while nobody used it.
    Ended,
    /// No server received it, because it is not known yet which life of the log its connection leads to.
    Unchecked,
    /// No server received it before its caller's time was up.
    TimeUp,
    /// A server received it and refused before doing anything; another, or the same later, may take it.
    NotExecuted,
    /// Nobody knows whether it was done, or still will be.
    Unknown,
    /// As `Unknown`, because its caller's time was up.
    OutOfTime,
    /// As `Unknown`, but its member is well, only slow.
    Slow,
    /// The login has to be renewed; nothing was done.
    StaleToken,
    /// Perhaps the login has to be renewed: a member is silent to who bears the token, and to nobody else. Nothing was done.
    Mute,
    /// The whole cluster refuses these credentials.
    Denied,
    /// One side does not accept the certificate of the other.
    Untrusted,
    /// What answers does not know this request: it is no etcd, or a proxy that was not told of it.
    NotEtcd,
    /// The member belongs to another cluster than the others.
    Foreign,
    /// The revision asked for is forgotten.
    Compacted,
    /// The revision asked for does not exist yet.
    Future,
    /// The answer is larger than this client accepts.
    TooLargeToDecode,
    /// A lease named in it does not exist.
    LeaseGone,
    /// The lease that was to be granted exists.
    LeaseExists,
    /// The server says it has no space left: it may nevertheless have been done, but will not be done later.
    Full,
    /// The request has more operations than the server takes in one.
    TooManyOperations,
    /// The request is larger than the server takes.
    TooManyBytes,
    /// The request itself is wrong.
    Refused,
}

impl Class {
    /// Whether it was the answer of a member that is well: it is not left for another, and there is no outage to tell
    /// of.
    pub(crate) fn is_answer(self) -> bool {
        matches!(
            self,
            Class::Denied
                | Class::Compacted
                | Class::Future
                | Class::TooLargeToDecode
                | Class::LeaseGone
                | Class::LeaseExists
                | Class::Full
                | Class::TooManyOperations
                | Class::TooManyBytes
                | Class::Refused
        )
    }

    /// Whether nobody knows what became of the request. A commit is settled by its slot then; a read is asked again.
    pub(crate) fn is_unknown(self) -> bool {
        matches!(self, Class::Unknown | Class::OutOfTime | Class::Slow)
    }
}
