//! What goes wrong when sources are read: a file that is missing, or is no Rust.
//!
//! Never a surface that is not as listed: that is an answer.

use std::io;
use std::path::PathBuf;

/// What the reading of sources ends with.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a surface could not be read, or its listing not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A module is declared, and there is no file for it.
    #[error("the module `{module}` has no file")]
    NoFile {
        /// Its path, without `crate::`.
        module: String,
    },
    /// A file is not Rust as `syn` reads it.
    #[error("{path}: {source}")]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where, and what was expected there.
        source: syn::Error,
    },
}
