//! What went wrong in one exchange with a server, classed by what may be done next.
//!
//! Never holds a value or a credential: only what the server or the transport said.

use std::error::Error as _;
use std::fmt;

use globe_log_client::{Error, ErrorKind};

use crate::{refusal, transport};

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
    /// The server says it has no space left: it may nevertheless have been done, but will not be done later.
    Full,
    /// The request itself is wrong.
    Refused,
}

impl Class {
    /// Whether it was the answer of a member that is well.
    pub(crate) fn is_answer(self) -> bool {
        matches!(
            self,
            Class::Denied
                | Class::Compacted
                | Class::Future
                | Class::TooLargeToDecode
                | Class::LeaseGone
                | Class::Full
                | Class::Refused
        )
    }

    /// Whether nobody knows what became of the request.
    pub(crate) fn is_unknown(self) -> bool {
        matches!(self, Class::Unknown | Class::OutOfTime | Class::Slow)
    }
}

/// A failed exchange.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) class: Class,
    text: String,
    /// Whether a member that is well says so for want of a leader.
    pub(crate) is_election: bool,
    /// Whether a connection was made, and ended before anything came through it.
    pub(crate) is_cut_short: bool,
}

impl Fault {
    pub(crate) fn new(class: Class, text: impl Into<String>) -> Fault {
        Fault {
            class,
            text: text.into(),
            is_election: false,
            is_cut_short: false,
        }
    }

    /// The leader of a request lost its office before it answered.
    pub(crate) fn leader_lost() -> Fault {
        Fault {
            is_election: true,
            ..Fault::new(
                Class::Unknown,
                "another leader was elected before it answered",
            )
        }
    }

    /// What a server gave as the reason for cancelling a watch.
    pub(crate) fn of_cancelled_watch(reason: &str) -> Fault {
        refusal::of_cancelled_watch(reason)
    }

    /// The same, naming the member it happened with.
    pub(crate) fn at(mut self, address: &str) -> Fault {
        self.text = format!("{address}: {}", self.text);
        self
    }

    /// The same, of another class.
    pub(crate) fn classed(mut self, class: Class) -> Fault {
        self.class = class;
        self
    }

    /// The same, before anything was sent.
    pub(crate) fn never_sent(mut self) -> Fault {
        if matches!(self.class, Class::Unknown | Class::OutOfTime | Class::Slow) {
            self.class = Class::NeverSent;
        }
        self
    }

    /// The same, with a guess at its cause.
    pub(crate) fn perhaps(mut self, guess: &str) -> Fault {
        self.text = format!("{}: perhaps {guess}", self.text);
        self
    }

    /// What a caller is told, when it is certain that nothing was written.
    pub(crate) fn into_error(self) -> Error {
        let kind = match self.class {
            Class::NeverSent
            | Class::Ended
            | Class::Unchecked
            | Class::TimeUp
            | Class::NotExecuted
            | Class::Unknown
            | Class::OutOfTime
            | Class::Slow
            | Class::NotEtcd
            | Class::Foreign
            | Class::TooLargeToDecode => ErrorKind::Unavailable,
            Class::StaleToken | Class::Denied | Class::Untrusted => ErrorKind::Denied,
            Class::Compacted => ErrorKind::Compacted,
            Class::Future => ErrorKind::EpochChanged,
            Class::LeaseGone => ErrorKind::LeaseLost,
            Class::Full => ErrorKind::Full,
            Class::Refused => ErrorKind::Invalid,
        };
        Error::new(kind, self.text)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<etcd_client::Error> for Fault {
    fn from(error: etcd_client::Error) -> Fault {
        use etcd_client::Error as Etcd;
        match error {
            Etcd::GRpcStatus(status) => Fault::from(status),
            Etcd::LeaseKeepAliveError(text) if text.contains("lease not found") => {
                Fault::new(Class::LeaseGone, text)
            }
            Etcd::TransportError(error) => Fault::from(error),
            Etcd::InvalidArgs(text) | Etcd::EndpointError(text) => Fault::new(Class::Refused, text),
            Etcd::InvalidUri(error) => Fault::new(Class::Refused, error.to_string()),
            other => Fault::new(Class::Unknown, other.to_string()),
        }
    }
}

impl From<tonic::Status> for Fault {
    fn from(status: tonic::Status) -> Fault {
        let (code, message) = (status.code(), status.message());
        let text = refusal::words(code, message);
        match status.source() {
            // Only what this process itself made of a failed transport has a source.
            Some(source) => of_transport(text, source),
            None => Fault {
                is_election: refusal::is_election(message),
                ..Fault::new(refusal::class_of(code, message), text)
            },
        }
    }
}

impl From<tonic::transport::Error> for Fault {
    fn from(error: tonic::transport::Error) -> Fault {
        of_transport(error.to_string(), &error)
    }
}

fn of_transport(mut text: String, error: &(dyn std::error::Error + 'static)) -> Fault {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    Fault {
        is_cut_short: transport::is_cut_short(error),
        ..Fault::new(transport::class_of(error), text)
    }
}
