//! What SQLite says, as what the caller can do next.
//!
//! Never shows a value: SQLite's messages name tables, not what is in them.

use globe_log_client::{Error, ErrorKind, LeaseId, Revision};
use rusqlite::ErrorCode;

/// What an error means for reads, and for writes of which it is certain that nothing is left.
pub(crate) fn explain(error: rusqlite::Error) -> Error {
    let (kind, why) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (ErrorKind::Unavailable, "another process is writing")
        }
        Some(ErrorCode::DiskFull) => (ErrorKind::Full, "the disk of the file is full"),
        Some(ErrorCode::ReadOnly) => (ErrorKind::Denied, "the file cannot be written"),
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
            (ErrorKind::Denied, "the file cannot be opened")
        }
        Some(ErrorCode::CannotOpen) => (ErrorKind::Denied, "the file cannot be opened"),
        Some(ErrorCode::DatabaseCorrupt) => (ErrorKind::Denied, "the file is damaged"),
        Some(ErrorCode::NotADatabase) => (ErrorKind::Invalid, "the file is no SQLite database"),
        Some(ErrorCode::SystemIoFailure) => (ErrorKind::Unavailable, "the disk fails"),
        Some(ErrorCode::OutOfMemory) => (ErrorKind::Unavailable, "there is no memory left"),
        // All of what is asked is fixed: its tables are not what they were.
        Some(ErrorCode::Unknown) => (ErrorKind::Denied, "the file is damaged"),
        _ if is_of_another_shape(&error) => (ErrorKind::Denied, "the file is damaged"),
        _ => (ErrorKind::Unavailable, "SQLite fails"),
    };
    Error::new(kind, why).with_source(error)
}

/// Whether SQLite itself failed, and not what was asked of it.
pub(crate) fn is_of_sqlite(error: &Error) -> bool {
    cause(error).is_some()
}

/// Whether another process has the lock.
pub(crate) fn is_busy(error: &Error) -> bool {
    let code = cause(error).and_then(rusqlite::Error::sqlite_error_code);
    matches!(
        code,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Whether something could not be opened, or made, that SQLite needs beside the file.
pub(crate) fn is_unopened(error: &Error) -> bool {
    let code = cause(error).and_then(rusqlite::Error::sqlite_error_code);
    matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

fn cause(error: &Error) -> Option<&rusqlite::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// A row that does not hold what this program writes.
fn is_of_another_shape(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows,
        SqlInputError, Utf8Error,
    };
    matches!(
        error,
        FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | QueryReturnedNoRows
            | SqlInputError { .. }
            | Utf8Error(..)
    )
}

pub(crate) fn damaged(what: &str) -> Error {
    let why = format!("the file is damaged: {what} is not what was written");
    Error::new(ErrorKind::Denied, why)
}

pub(crate) fn lost(lease: LeaseId) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("lease {lease} has ended"))
}

pub(crate) fn forgotten(revision: Revision, compacted: Revision) -> Error {
    let context =
        format!("revision {revision} is forgotten: the history is compacted up to {compacted}");
    Error::new(ErrorKind::Compacted, context)
}

pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::Unavailable, "the threads of the log have ended")
}
