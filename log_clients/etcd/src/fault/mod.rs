//! What went wrong in one exchange with a server, classed by what may be done next.
//!
//! Never holds a value or a credential: only what the server or the transport said.

pub(crate) mod class;
pub(crate) mod refusal;
pub(crate) mod transport;

use std::error::Error as _;
use std::fmt;

use globe_log_client::{Error, ErrorKind};

pub(crate) use crate::fault::class::Class;

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

    /// The leader of a request lost its office before it answered. A follower has passed it on to that leader, and
    /// nobody else will ever answer it.
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
        let class = refusal::of_cancelled_watch(reason);
        Fault::new(class, format!("the watch was cancelled: {reason}"))
    }

    /// The same, naming the member it happened with.
    pub(crate) fn at(mut self, address: &str) -> Fault {
        self.text = format!("{address}: {}", self.text);
        self
    }

    /// The same, for a reason that makes it another.
    pub(crate) fn because(mut self, class: Class, why: &impl fmt::Display) -> Fault {
        self.class = class;
        self.text = format!("{}: {why}", self.text);
        self
    }

    /// The same, before anything was sent: what failed was the way there, a login or a handshake, so that an outcome
    /// which nobody knows is none of the caller's request.
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

    /// What a caller is told, when it is certain that nothing was written: a commit of which that is not certain is
    /// told as `Indeterminate` elsewhere (see `round`).
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
            | Class::Mute
            | Class::NotEtcd
            | Class::Foreign
            | Class::LeaseExists
            | Class::TooLargeToDecode => ErrorKind::Unavailable,
            Class::StaleToken | Class::Denied | Class::Untrusted => ErrorKind::Denied,
            Class::Compacted => ErrorKind::Compacted,
            Class::Future => ErrorKind::EpochChanged,
            Class::LeaseGone => ErrorKind::LeaseLost,
            Class::Full => ErrorKind::Full,
            Class::Refused | Class::TooManyOperations | Class::TooManyBytes => ErrorKind::Invalid,
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

/// A fault that no server has told. Its text names every cause once, since the outermost says as little as "transport
/// error".
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
