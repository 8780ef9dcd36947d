//! What a gRPC status that somebody answered with means: etcd by its exact words, everything else by its code.
//!
//! Never takes words that are merely like etcd's for etcd's.

use tonic::Code;

use crate::fault::class::Class;

/// What etcd says, word for word, with the code it says it with. No answer is here whose request may have been done:
/// "request timed out" and "leader changed" are not, since the request may have been passed on before.
const REFUSALS: &[(Code, &str, Class)] = &[
    (
        Code::Unavailable,
        "etcdserver: no leader",
        Class::NotExecuted,
    ),
    (
        Code::Unavailable,
        "etcdserver: rpc not supported for learner",
        Class::NotExecuted,
    ),
    (
        Code::ResourceExhausted,
        "etcdserver: too many requests",
        Class::NotExecuted,
    ),
    (Code::OutOfRange, COMPACTED, Class::Compacted),
    (
        Code::OutOfRange,
        "etcdserver: mvcc: required revision is a future revision",
        Class::Future,
    ),
    (
        Code::NotFound,
        "etcdserver: requested lease not found",
        Class::LeaseGone,
    ),
    (
        Code::FailedPrecondition,
        "etcdserver: lease already exists",
        Class::LeaseExists,
    ),
    (Code::ResourceExhausted, FULL, Class::Full),
    (
        Code::Unauthenticated,
        "etcdserver: invalid auth token",
        Class::StaleToken,
    ),
    (
        Code::InvalidArgument,
        "etcdserver: revision of auth store is old",
        Class::StaleToken,
    ),
    // No token at all: authentication may have been enabled since the connection was made.
    (
        Code::InvalidArgument,
        "etcdserver: user name is empty",
        Class::StaleToken,
    ),
    (Code::PermissionDenied, DENIED, Class::Denied),
    (
        Code::InvalidArgument,
        "etcdserver: too many operations in txn request",
        Class::TooManyOperations,
    ),
    (
        Code::InvalidArgument,
        "etcdserver: request is too large",
        Class::TooManyBytes,
    ),
    (
        Code::InvalidArgument,
        "etcdserver: authentication failed, invalid user ID or password",
        Class::Denied,
    ),
];

const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
const DENIED: &str = "etcdserver: permission denied";
/// It may nevertheless have been done, but will not be done later.
const FULL: &str = "etcdserver: mvcc: database space exceeded";

/// What members say of a request they passed on, or were about to, when an election came.
const ELECTIONS: &[&str] = &[
    "etcdserver: no leader",
    "etcdserver: leader changed",
    "raft proposal dropped",
];

/// What this client's own gRPC library says of an answer over its limit.
const TOO_LARGE: &str = "Error, decoded message length too large";

/// What a server says before it reads a request that is too large, and what a proxy says before it passes it on.
const NOT_TAKEN: &[&str] = &[
    "grpc: received message larger than max",
    "trying to send message larger than max",
];

/// What this client's own gRPC library says of an answer that is not gRPC's.
const NO_GRPC: &str = "grpc-status header missing";

/// What an answer means.
///
/// The code alone is not enough: `OutOfRange` is a compacted revision, one that does not exist yet, or an answer too
/// large for this client. The words alone are not either: a proxy can say any, and what is merely like etcd's proves
/// nothing about whether the request was delivered (envoyproxy/envoy#39800). So both have to fit.
pub(crate) fn class_of(code: Code, text: &str) -> Class {
    let exact = REFUSALS
        .iter()
        .find(|(c, words, _)| *c == code && *words == text);
    if let Some((_, _, class)) = exact {
        return *class;
    }
    match code {
        Code::OutOfRange if text.starts_with(TOO_LARGE) => Class::TooLargeToDecode,
        Code::ResourceExhausted if NOT_TAKEN.iter().any(|words| text.starts_with(words)) => {
            Class::TooManyBytes
        }
        // A proxy's, or that of something which is no etcd at all.
        Code::Unimplemented => Class::NotEtcd,
        _ if text.starts_with(NO_GRPC) => Class::Unknown,
        Code::Unauthenticated | Code::PermissionDenied => Class::Denied,
        Code::InvalidArgument => Class::Refused,
        _ => Class::Unknown,
    }
}

/// Whether a member that is well says so for want of a leader: it is left for a moment only, and its connections are
/// kept.
pub(crate) fn is_election(text: &str) -> bool {
    ELECTIONS.contains(&text)
}

/// Whether it is etcd that says it: this user may not call that.
pub(crate) fn is_denial(code: Code, text: &str) -> bool {
    code == Code::PermissionDenied && text == DENIED
}

/// The code by name, for an answer without words.
pub(crate) fn words(code: Code, text: &str) -> String {
    match text {
        "" => format!("gRPC status {code:?}, without a message"),
        text => text.to_owned(),
    }
}

/// What a server gave as the reason for cancelling a watch: here it puts its words into others.
///
/// A watch never fails by a gRPC status for what its user may not or its token is too old for: the stream opens, and
/// the first message creates and cancels it at once. So parts of words have to do; nothing was written by a watch, and
/// a wrong guess costs a try.
pub(crate) fn of_cancelled_watch(reason: &str) -> Class {
    const TOKENS: [&str; 3] = [
        "invalid auth token",
        "auth store is old",
        "user name is empty",
    ];
    if TOKENS.iter().any(|words| reason.contains(words)) {
        Class::StaleToken
    } else if reason.contains("permission denied") {
        Class::Denied
    } else if reason.contains("compacted") {
        Class::Compacted
    } else {
        Class::NotExecuted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_says_is_classed_by_what_may_be_done_next() {
        for (code, text, class) in REFUSALS {
            assert_eq!(class_of(*code, text), *class, "{code} {text}");
        }
        let table = [
            (
                Code::Unavailable,
                "etcdserver: leader changed",
                Class::Unknown,
            ),
            (
                Code::Unavailable,
                "etcdserver: request timed out",
                Class::Unknown,
            ),
            (
                Code::InvalidArgument,
                "etcdserver: duplicate key given in txn request",
                Class::Refused,
            ),
            (
                Code::OutOfRange,
                "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes",
                Class::TooLargeToDecode,
            ),
        ];
        for (code, text, class) in table {
            assert_eq!(class_of(code, text), class, "{code} {text}");
        }
    }

    #[test]
    fn what_merely_sounds_like_etcd_proves_nothing() {
        let upstream = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
        let table = [
            (Code::Unavailable, upstream, Class::Unknown),
            (Code::Unavailable, "tcp connect error", Class::Unknown),
            (
                Code::Unavailable,
                "no healthy upstream, etcdserver: no leader",
                Class::Unknown,
            ),
            (Code::Unknown, "etcdserver: no leader", Class::Unknown),
            (
                Code::Unavailable,
                "invalid peer certificate: UnknownIssuer",
                Class::Unknown,
            ),
            (
                Code::Unimplemented,
                "grpc-status header missing, mapped from HTTP status code 404",
                Class::NotEtcd,
            ),
            (
                Code::Unavailable,
                "grpc-status header missing, mapped from HTTP status code 503",
                Class::Unknown,
            ),
            (Code::PermissionDenied, "RBAC: access denied", Class::Denied),
        ];
        for (code, text, class) in table {
            assert_eq!(class_of(code, text), class, "{code} {text}");
        }
        assert!(!is_denial(Code::PermissionDenied, "RBAC: access denied"));
    }

    #[test]
    fn an_answer_without_words_still_names_its_code() {
        assert!(words(Code::Internal, "").contains("Internal"));
    }

    #[test]
    fn a_cancelled_watch_says_why() {
        let table = [
            ("rpc error: invalid auth token", Class::StaleToken),
            ("etcdserver: permission denied", Class::Denied),
            ("etcdserver: no leader", Class::NotExecuted),
        ];
        for (reason, class) in table {
            assert_eq!(of_cancelled_watch(reason), class, "{reason}");
        }
    }
}
