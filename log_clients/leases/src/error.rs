//! What is said of a lease that cannot be had, kept or used.
//!
//! Never shows a value.

use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Keyspace, LeaseId};

pub(crate) fn lost(id: LeaseId) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("lease {id} has ended"))
}

/// A lease that was granted in another life of the log than the one that answers.
pub(crate) fn of_another_life(id: LeaseId) -> Error {
    let why = format!("lease {id} is of another life of the log");
    Error::new(ErrorKind::LeaseLost, why)
}

/// A transaction of another life of the log than the one that answers.
pub(crate) fn epoch_changed() -> Error {
    let why = "the transaction speaks of another life of the log: nothing was written";
    Error::new(ErrorKind::EpochChanged, why)
}

/// So much happened to a lease, or so many answers were lost, that one call did not get through.
pub(crate) fn unsettled(what: &str) -> Error {
    let why = format!("{what} was not settled: it changed, or answers were lost, again and again");
    Error::new(ErrorKind::Unavailable, why)
}

pub(crate) fn refused_ttl(ttl: Duration, most: Duration) -> Error {
    let why = format!("a lease lives longer than zero and at most {most:?}, not {ttl:?}");
    Error::new(ErrorKind::Invalid, why)
}

pub(crate) fn kept_for_leases(keyspace: &Keyspace) -> Error {
    let why = format!("the keyspace {keyspace} is kept for leases: nothing else is written there");
    Error::new(ErrorKind::Invalid, why)
}

pub(crate) fn unsupported(log: &str) -> Error {
    let why = format!(
        "the {log} log has no leases, and takes too little in one transaction to be given any"
    );
    Error::new(ErrorKind::Unsupported, why)
}
