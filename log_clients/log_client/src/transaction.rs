//! What is written, and under which preconditions.
//!
//! A transaction is data: it holds no connection, and building one never fails. [`Transaction::check`] refuses what no
//! log could take, before anything is sent.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::capabilities::Capabilities;
use crate::error::{Error, ErrorKind, Result};
use crate::keyspace::Keyspace;
use crate::lease::LeaseId;
use crate::position::{Epoch, Revision};

/// What must be true of a key for a transaction to be committed. A log refuses one it does not know with `Unsupported`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precondition {
    /// There is no such key.
    Absent,
    /// There is such a key, at whatever revision.
    Present,
    /// The key exists and was last written by exactly this commit: false after delete-then-recreate.
    At(Revision),
    /// The key exists and was created by exactly this commit: true through every rewrite, false after
    /// delete-then-recreate.
    Since(Revision),
}

/// One write of a transaction. A log refuses one it does not know with `Unsupported`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Write {
    /// Writes the whole value: see [`Write::put`].
    #[non_exhaustive]
    Put {
        /// The new value. [`Bytes`], because a transaction is cloned for each attempt and no attempt copies it.
        value: Bytes,
        /// The lease the key ends with. Without one, a key that had a lease is bound to it no more.
        lease: Option<LeaseId>,
    },
    /// Deletes the key. Deleting an absent key changes nothing and is no error.
    Delete,
}

impl Write {
    /// A put of a key that ends with a lease, if with any.
    pub fn put(value: impl Into<Bytes>, lease: impl Into<Option<LeaseId>>) -> Write {
        Write::Put {
            value: value.into(),
            lease: lease.into(),
        }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Write::Put { value, lease } => f
                .debug_struct("Put")
                .field("value", &format_args!("<{} bytes>", value.len()))
                .field("lease", lease)
                .finish(),
            Write::Delete => f.write_str("Delete"),
        }
    }
}

/// Writes that are committed together if every precondition holds: whole, or not at all.
///
/// Without writes it only checks its preconditions. Each key may be written once. Building one never fails and talks to
/// nobody; a clone copies nothing.
///
/// ```
/// use std::time::Duration;
/// use globe_log_client::{Capabilities, Keyspace, Precondition, Transaction};
///
/// # fn main() -> globe_log_client::Result<()> {
/// let (flags, audit) = (Keyspace::new("flags")?, Keyspace::new("audit")?);
/// let transaction = Transaction::new()
///     .when(&flags, "dark-mode", Precondition::Absent) // or nothing is written
///     .put(&flags, "dark-mode", "on")
///     .put(&audit, "0007", "dark-mode on") // in the same commit
///     .taking_at_most(Duration::from_secs(2));
/// transaction.check(&Capabilities::full("any"))?;
///
/// let twice = transaction.delete(&flags, "dark-mode");
/// assert!(twice.check(&Capabilities::full("any")).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    preconditions: Arc<Vec<(Keyspace, Bytes, Precondition)>>,
    writes: Arc<Vec<(Keyspace, Bytes, Write)>>,
    epoch: Option<Epoch>,
    timeout: Option<Duration>,
}

impl Transaction {
    /// An empty transaction.
    #[must_use]
    pub fn new() -> Transaction {
        Transaction::default()
    }

    /// An empty transaction that has room for so many writes, each with a precondition.
    #[must_use]
    pub fn with_capacity(writes: usize) -> Transaction {
        Transaction {
            preconditions: Arc::new(Vec::with_capacity(writes)),
            writes: Arc::new(Vec::with_capacity(writes)),
            ..Transaction::default()
        }
    }

    /// Commits only in this life of the log, or in whatever life there is; the latter if not set. See
    /// [`Transaction::epoch`].
    #[must_use]
    pub fn within(mut self, epoch: impl Into<Option<Epoch>>) -> Transaction {
        self.epoch = epoch.into();
        self
    }

    /// Gives the log this long to answer, or as long as it likes; the latter if not set. See [`Transaction::timeout`].
    #[must_use]
    pub fn taking_at_most(mut self, timeout: impl Into<Option<Duration>>) -> Transaction {
        self.timeout = timeout.into();
        self
    }

    /// What must hold, by key.
    #[must_use]
    pub fn preconditions(&self) -> &[(Keyspace, Bytes, Precondition)] {
        &self.preconditions
    }

    /// What is written, by key.
    #[must_use]
    pub fn writes(&self) -> &[(Keyspace, Bytes, Write)] {
        &self.writes
    }

    /// The life of the log its preconditions speak of: revisions are used again after a restore, so one that was read
    /// before it may hold of another record after it. `None` for preconditions that name no revision.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// How long the log may take for it; `None` leaves that to the log. See [`LogClient::commit`](crate::LogClient::commit).
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Adds a precondition.
    #[must_use]
    pub fn when(
        mut self,
        keyspace: &Keyspace,
        key: impl Into<Bytes>,
        precondition: Precondition,
    ) -> Transaction {
        let preconditions = Arc::make_mut(&mut self.preconditions);
        preconditions.push((keyspace.clone(), key.into(), precondition));
        self
    }

    /// Adds a put without a lease: a key that had one is bound to it no more.
    #[must_use]
    pub fn put(
        self,
        keyspace: &Keyspace,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Transaction {
        self.write(keyspace, key, Write::put(value, None))
    }

    /// Adds a put of a key that ends with a lease.
    #[must_use]
    pub fn put_leased(
        self,
        keyspace: &Keyspace,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        lease: LeaseId,
    ) -> Transaction {
        self.write(keyspace, key, Write::put(value, lease))
    }

    /// Adds a delete.
    #[must_use]
    pub fn delete(self, keyspace: &Keyspace, key: impl Into<Bytes>) -> Transaction {
        self.write(keyspace, key, Write::Delete)
    }

    /// Adds a write.
    #[must_use]
    pub fn write(
        mut self,
        keyspace: &Keyspace,
        key: impl Into<Bytes>,
        write: Write,
    ) -> Transaction {
        Arc::make_mut(&mut self.writes).push((keyspace.clone(), key.into(), write));
        self
    }

    /// The bytes of keys and values it carries: what
    /// [`Capabilities::max_transaction_bytes`](crate::Capabilities::max_transaction_bytes) limits. Each key counts with
    /// its keyspace.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let key_bytes = |keyspace: &Keyspace, key: &Bytes| keyspace.as_str().len() + 1 + key.len();
        let compared: usize = self
            .preconditions
            .iter()
            .map(|(keyspace, key, _)| key_bytes(keyspace, key))
            .sum();
        let written: usize = self
            .writes
            .iter()
            .map(|(keyspace, key, write)| {
                key_bytes(keyspace, key)
                    + match write {
                        Write::Put { value, .. } => value.len(),
                        Write::Delete => 0,
                    }
            })
            .sum();
        compared + written
    }

    /// A key that is written twice.
    fn written_twice(&self) -> Option<(&Keyspace, &Bytes)> {
        // One write cannot, and mostly there is but one.
        let [_, _, ..] = self.writes() else {
            return None;
        };
        let mut seen = HashSet::with_capacity(self.writes.len());
        let mut written = self.writes.iter().map(|(keyspace, key, _)| (keyspace, key));
        written.find(|target| !seen.insert(*target))
    }

    /// Refuses what this log could not take. Every backend calls it first, so that nothing over a limit is ever sent.
    ///
    /// # Errors
    /// `Invalid` for a put of an empty or non-UTF-8 key, or a key written twice; `TooLarge` with the limit, for a key, a value,
    /// the number of operations, or the whole; `Unsupported` for several keyspaces where the log cannot span them. A log may
    /// besides keep keys in a folder `.globe` (`.globe/…`, `…/.globe/…`) for itself, and answer `Invalid`.
    pub fn check(&self, capabilities: &Capabilities) -> Result<()> {
        let name = capabilities.name;
        let compared = self
            .preconditions
            .iter()
            .map(|(keyspace, key, _)| (keyspace, key));
        let written = self.writes.iter().map(|(keyspace, key, _)| (keyspace, key));
        for (keyspace, key) in compared.chain(written) {
            check_key(keyspace, key, capabilities)?;
        }
        for (keyspace, key, write) in self.writes.iter() {
            if let Write::Put { .. } = write {
                check_text(keyspace, key)?;
            }
        }
        if let Some((keyspace, key)) = self.written_twice() {
            let key = String::from_utf8_lossy(key);
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{keyspace}/{key} is written twice in one transaction"),
            ));
        }
        for (keyspace, key, write) in self.writes.iter() {
            if let Write::Put { value, .. } = write {
                let what = || format!("the value of {keyspace}/{}", String::from_utf8_lossy(key));
                check_size(
                    value.len(),
                    capabilities.max_value_bytes,
                    "bytes",
                    name,
                    what,
                )?;
            }
        }
        let (preconditions, writes) = (self.preconditions.len(), self.writes.len());
        check_size(writes, capabilities.max_operations, "writes", name, || {
            "the transaction".into()
        })?;
        check_size(
            preconditions,
            capabilities.max_operations,
            "preconditions",
            name,
            || "the transaction".into(),
        )?;
        check_size(
            self.bytes(),
            capabilities.max_transaction_bytes,
            "bytes",
            name,
            || "the transaction".into(),
        )?;
        let mut keyspaces = self
            .writes
            .iter()
            .map(|w| &w.0)
            .chain(self.preconditions.iter().map(|p| &p.0));
        if let (false, Some(first)) = (capabilities.spans_keyspaces, keyspaces.next())
            && let Some(other) = keyspaces.find(|k| *k != first)
        {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "a transaction of a {name} log cannot span the keyspaces {first} and {other}"
                ),
            ));
        }
        Ok(())
    }
}

/// What is put has a key that can be read. What another program has put can be deleted, whatever its key is.
fn check_text(keyspace: &Keyspace, key: &Bytes) -> Result<()> {
    if key.is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("a key of keyspace {keyspace} is empty"),
        ));
    }
    if std::str::from_utf8(key).is_err() {
        let key = String::from_utf8_lossy(key);
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("the key {keyspace}/{key} is not UTF-8"),
        ));
    }
    Ok(())
}

fn check_key(keyspace: &Keyspace, key: &Bytes, capabilities: &Capabilities) -> Result<()> {
    let what = || {
        let start: String = String::from_utf8_lossy(key).chars().take(40).collect();
        format!("the key {keyspace}/{start}…")
    };
    check_size(
        key.len(),
        capabilities.max_key_bytes,
        "bytes",
        capabilities.name,
        what,
    )
}

fn check_size(
    actual: usize,
    limit: usize,
    unit: &str,
    log: &str,
    what: impl Fn() -> String,
) -> Result<()> {
    if actual <= limit {
        return Ok(());
    }
    let why = format!(
        "{} has {actual} {unit}; the {log} log takes at most {limit}",
        what()
    );
    Err(Error::too_large(limit, actual, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_not_part_of_what_is_limited() {
        let keyspace = Keyspace::new("flags").unwrap();
        let put = Transaction::new().put(&keyspace, "key", "value");
        let bytes = put.bytes();
        let hasty = put.taking_at_most(Duration::ZERO);
        assert_eq!(hasty.timeout(), Some(Duration::ZERO));
        assert_eq!(hasty.bytes(), bytes);
        hasty.check(&Capabilities::full("test")).unwrap();
    }

    #[test]
    fn no_debug_shows_a_value() {
        let keyspace = Keyspace::new("flags").unwrap();
        let put = Transaction::new().put(&keyspace, "key", "s3cret");
        assert!(!format!("{put:?}").contains("s3cret"));
        let mut capabilities = Capabilities::full("test");
        capabilities.max_value_bytes = 1;
        let error = put.check(&capabilities).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}
