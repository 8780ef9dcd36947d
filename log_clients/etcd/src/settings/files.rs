//! Files that hold what this client shows to servers, read anew each time it is needed, so that they can be replaced.
//!
//! Never shows what a file holds.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::fault::{Class, Fault};

/// More than any password or chain of certificates: a path that never ends must not fill the memory.
const MAX_FILE: u64 = 1024 * 1024;

/// Why what is needed to dial or to log in cannot be had now. It may be there at the next try.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl Unreadable {
    pub(crate) fn new(why: impl Into<String>) -> Unreadable {
        Unreadable(why.into())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Unreadable> for Fault {
    fn from(unreadable: Unreadable) -> Fault {
        Fault::new(Class::NeverSent, unreadable.0)
    }
}

/// All of a file; `what` says what it should hold.
pub(crate) fn read(what: &str, path: &Path) -> Result<Vec<u8>, Unreadable> {
    let all = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let path = path.display();
    match all() {
        Ok(bytes) if bytes.is_empty() => Err(Unreadable(format!("{what}: {path} is empty"))),
        Ok(bytes) if bytes.len() as u64 == MAX_FILE => {
            Err(Unreadable(format!("{what}: {path} is far too long")))
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(Unreadable(format!(
            "{what}: {path} cannot be read: {error}"
        ))),
    }
}
