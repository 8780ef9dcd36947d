//! What went wrong in one exchange with a server, classed by what may be done next.
//!
//! Never holds a value or a credential: only what the server or the transport said.

use std::error::Error as _;
use std::fmt;

use globe_log_client::{Error, ErrorKind};

/// What a failed exchange means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// No server received it.
    NeverSent,
    /// A server received it and refused before doing anything; another, or the same later, may take it.
    NotExecuted,
    /// Nobody knows whether it was done, or still will be.
    Unknown,
    /// The login has to be renewed; nothing was done.
    StaleToken,
    /// The whole cluster refuses these credentials.
    Denied,
    /// This member cannot be talked to as configured: its certificate, our certificate, or it is no etcd.
    Misconfigured,
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
    /// The request has more operations than the server takes in one.
    TooManyOperations,
    /// The request is larger than the server takes.
    TooManyBytes,
    /// The request itself is wrong.
    Refused,
}

/// What is said of a request whose leader lost its office before it answered.
pub(crate) const LEADER_LOST: &str = "another leader was elected before it answered";

/// A failed exchange.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) class: Class,
    text: String,
}

impl Fault {
    pub(crate) fn new(class: Class, text: impl Into<String>) -> Fault {
        let text = text.into();
        Fault { class, text }
    }

    /// What a server gave as the reason for cancelling a watch.
    pub(crate) fn of_cancelled_watch(reason: &str) -> Fault {
        let class = if is_stale_token(reason) {
            Class::StaleToken
        } else if reason.contains("permission denied") {
            Class::Denied
        } else if reason.contains("compacted") {
            Class::Compacted
        } else {
            Class::NotExecuted
        };
        Fault::new(class, format!("the watch was cancelled: {reason}"))
    }

    /// The same, naming the member it happened with.
    pub(crate) fn at(mut self, address: &str) -> Fault {
        self.text = format!("{address}: {}", self.text);
        self
    }

    /// Whether a member that is well says so for want of a leader.
    pub(crate) fn is_election(&self) -> bool {
        let signs = [
            "etcdserver: no leader",
            "etcdserver: leader changed",
            "raft proposal dropped",
            LEADER_LOST,
        ];
        signs.iter().any(|sign| self.text.contains(sign))
    }

    /// Whether a connection that had been made was ended before any answer came.
    pub(crate) fn is_closed_connection(&self) -> bool {
        let signs = [
            "connection closed",
            "broken pipe",
            "connection reset",
            "handshake eof",
        ];
        signs
            .iter()
            .any(|sign| self.text.to_lowercase().contains(sign))
    }

    /// What a caller is told, when it is certain that nothing was written.
    pub(crate) fn into_error(self) -> Error {
        let kind = match self.class {
            Class::NeverSent | Class::NotExecuted | Class::Unknown | Class::TooLargeToDecode => {
                ErrorKind::Unavailable
            }
            Class::StaleToken | Class::Denied | Class::Misconfigured => ErrorKind::Denied,
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
            Etcd::GRpcStatus(status) => {
                let mut text = status.message().to_owned();
                let mut source = status.source();
                while let Some(cause) = source {
                    let cause_text = cause.to_string();
                    if !text.contains(&cause_text) {
                        text = format!("{text}: {cause_text}");
                    }
                    source = cause.source();
                }
                Fault::new(class_of_status(status.code() as i32, &text), text)
            }
            Etcd::LeaseKeepAliveError(text) if text.contains("lease not found") => {
                Fault::new(Class::LeaseGone, text)
            }
            Etcd::TransportError(error) => {
                let cause = error.source().map(|cause| format!(": {cause}"));
                let text = format!("{error}{}", cause.unwrap_or_default());
                Fault::new(Class::Misconfigured, text)
            }
            Etcd::InvalidArgs(text) | Etcd::EndpointError(text) => Fault::new(Class::Refused, text),
            Etcd::InvalidUri(error) => Fault::new(Class::Refused, error.to_string()),
            other => Fault::new(Class::Unknown, other.to_string()),
        }
    }
}

/// Classes a gRPC status. Codes alone are not enough: etcd uses one code for very different things.
fn class_of_status(code: i32, text: &str) -> Class {
    const INVALID_ARGUMENT: i32 = 3;
    const NOT_FOUND: i32 = 5;
    const PERMISSION_DENIED: i32 = 7;
    const RESOURCE_EXHAUSTED: i32 = 8;
    const OUT_OF_RANGE: i32 = 11;
    const UNIMPLEMENTED: i32 = 12;
    const UNAUTHENTICATED: i32 = 16;
    let says = |part: &str| text.contains(part);
    match code {
        _ if is_certificate(text) => Class::Misconfigured,
        _ if says("connect error") || says("dns error") || says("tcp open error") => {
            Class::NeverSent
        }
        _ if says("no leader") || says("not supported for learner") => Class::NotExecuted,
        OUT_OF_RANGE if says("has been compacted") => Class::Compacted,
        OUT_OF_RANGE if says("future revision") => Class::Future,
        OUT_OF_RANGE | RESOURCE_EXHAUSTED if says("message length too large") => {
            Class::TooLargeToDecode
        }
        INVALID_ARGUMENT if says("etcdserver: too many operations in txn request") => {
            Class::TooManyOperations
        }
        INVALID_ARGUMENT if says("etcdserver: request is too large") => Class::TooManyBytes,
        // The first is what a server says before it reads the request, the second what a proxy says before it passes it on.
        RESOURCE_EXHAUSTED
            if says("grpc: received message larger than max")
                || says("trying to send message larger than max") =>
        {
            Class::TooManyBytes
        }
        RESOURCE_EXHAUSTED if says("database space exceeded") => Class::Full,
        RESOURCE_EXHAUSTED if says("too many requests") => Class::NotExecuted,
        NOT_FOUND if says("lease not found") => Class::LeaseGone,
        UNAUTHENTICATED => Class::StaleToken,
        _ if is_stale_token(text) => Class::StaleToken,
        PERMISSION_DENIED => Class::Denied,
        INVALID_ARGUMENT if says("authentication failed") => Class::Denied,
        INVALID_ARGUMENT => Class::Refused,
        UNIMPLEMENTED => Class::Misconfigured,
        _ => Class::Unknown,
    }
}

/// Also when there is no token at all: authentication may have been enabled since the connection was made.
fn is_stale_token(text: &str) -> bool {
    [
        "invalid auth token",
        "auth store is old",
        "user name is empty",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

fn is_certificate(text: &str) -> bool {
    [
        "certificate",
        "Certificate",
        "UnknownIssuer",
        "InvalidContentType",
        "UnknownCA",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_and_the_transport_say_is_classed_by_what_may_be_done_next() {
        let table = [
            (14, "tcp connect error", Class::NeverSent),
            (14, "etcdserver: no leader", Class::NotExecuted),
            (
                14,
                "etcdserver: rpc not supported for learner",
                Class::NotExecuted,
            ),
            (14, "etcdserver: leader changed", Class::Unknown),
            (14, "etcdserver: request timed out", Class::Unknown),
            (1, "Timeout expired", Class::Unknown),
            (
                2,
                "h2 protocol error: error reading a body from connection",
                Class::Unknown,
            ),
            (
                14,
                "invalid peer certificate: UnknownIssuer",
                Class::Misconfigured,
            ),
            (
                12,
                "grpc-status header missing, mapped from HTTP status code 404",
                Class::Misconfigured,
            ),
            (
                11,
                "etcdserver: mvcc: required revision has been compacted",
                Class::Compacted,
            ),
            (
                11,
                "etcdserver: mvcc: required revision is a future revision",
                Class::Future,
            ),
            (
                11,
                "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes",
                Class::TooLargeToDecode,
            ),
            (8, "etcdserver: mvcc: database space exceeded", Class::Full),
            (8, "etcdserver: too many requests", Class::NotExecuted),
            (5, "etcdserver: requested lease not found", Class::LeaseGone),
            (16, "etcdserver: invalid auth token", Class::StaleToken),
            (
                3,
                "etcdserver: revision of auth store is old",
                Class::StaleToken,
            ),
            (
                3,
                "etcdserver: authentication failed, invalid user ID or password",
                Class::Denied,
            ),
            (3, "etcdserver: user name is empty", Class::StaleToken),
            (7, "etcdserver: permission denied", Class::Denied),
            (3, "etcdserver: request is too large", Class::TooManyBytes),
            (
                8,
                "grpc: received message larger than max (2097200 vs. 624288)",
                Class::TooManyBytes,
            ),
            (
                8,
                "trying to send message larger than max (2097200 vs. 2097152)",
                Class::TooManyBytes,
            ),
            (
                3,
                "etcdserver: too many operations in txn request",
                Class::TooManyOperations,
            ),
            (
                3,
                "etcdserver: duplicate key given in txn request",
                Class::Refused,
            ),
        ];
        for (code, text, class) in table {
            assert_eq!(class_of_status(code, text), class, "{code} {text}");
        }
    }

    #[test]
    fn a_cancelled_watch_says_why() {
        let table = [
            ("rpc error: invalid auth token", Class::StaleToken),
            ("etcdserver: permission denied", Class::Denied),
            ("etcdserver: no leader", Class::NotExecuted),
        ];
        for (reason, class) in table {
            assert_eq!(Fault::of_cancelled_watch(reason).class, class, "{reason}");
        }
    }
}
