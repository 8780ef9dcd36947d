//! What a process says, and which of the two it is.
//!
//! Nothing is decided by it.

use std::error::Error;
use std::time::Duration;

pub(crate) type Done<T = ()> = Result<T, Box<dyn Error>>;

/// How the second process is told that it is one, and where the log is.
pub(crate) const URL: &str = "GLOBE_EXAMPLE_URL";

/// How long a machine may take that has other things to do.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

pub(crate) fn tell(what: &str) {
    let who = match std::env::var_os(URL) {
        Some(_) => "second",
        None => "first ",
    };
    println!("{who} {what}");
}
