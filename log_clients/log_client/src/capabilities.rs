//! What a log can and cannot do, said by the log itself.
//!
//! A capability only states a limit; it never switches behaviour.

use std::time::Duration;

/// The limits of a log, and which MUSTs of the contract it cannot keep.
///
/// Globe refuses what a log cannot do with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) or
/// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge); it never imitates it quietly. They may become more exact while
/// a log is used: ask again rather than keep them.
///
/// It may get more fields, so a log begins with [`full`](Capabilities::full) and changes what differs:
///
/// ```
/// use globe_log_client::{Capabilities, Keyspace, Transaction};
///
/// # fn main() -> globe_log_client::Result<()> {
/// let mut capabilities = Capabilities::full("small");
/// capabilities.max_value_bytes = 4;
/// capabilities.leases = false;
///
/// let flags = Keyspace::new("flags")?;
/// let transaction = Transaction::new().put(&flags, "dark-mode", "maybe");
/// let refused = transaction.check(&capabilities).unwrap_err();
/// assert!(matches!(*refused.kind(), globe_log_client::ErrorKind::TooLarge { limit: 4, actual: 5, .. }));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The backend's name, for messages: `"memory"`, `"etcd"`.
    pub name: &'static str,
    /// The most writes, and also the most preconditions, in one transaction.
    pub max_operations: usize,
    /// The most bytes of keys and values in one transaction.
    pub max_transaction_bytes: usize,
    /// The longest key, in bytes.
    pub max_key_bytes: usize,
    /// The largest value, in bytes.
    pub max_value_bytes: usize,
    /// The longest lease. Longer ones are refused.
    pub max_ttl: Duration,
    /// A transaction may write in several keyspaces at once.
    pub spans_keyspaces: bool,
    /// `head` is linearizable: it reflects every commit acknowledged anywhere before the call.
    pub linearizable_head: bool,
    /// The tail delivers every commit. False: the log may skip to a key's latest state.
    pub every_commit: bool,
    /// An acknowledged commit survives the crash of every process of the log.
    pub durable: bool,
    /// A late copy of a commit whose outcome was reported can never land, whatever its preconditions are; of one that was
    /// reported as `Indeterminate`, never after a later commit of the same client was acknowledged.
    pub fenced: bool,
    /// `grant`, `renew` and `revoke` work. False: the log stores the id of a leased put beside the value and gives it back
    /// in [`Record::lease`](crate::Record::lease); it neither knows leases nor ends them.
    pub leases: bool,
    /// A lease ends with all its records in one commit. False: it ends first, and its records go soon after, in parts.
    pub atomic_leases: bool,
    /// How many records are best put under one lease: beyond that, take another. More are not refused, but become slow to
    /// write.
    pub records_per_lease: usize,
    /// `record_at` works: the log knows what stood at a key at every position it has not forgotten.
    pub history: bool,
    /// `difference` works: the log can tell what has changed to who knows the keys of a keyspace at some position.
    pub differences: bool,
}

impl Capabilities {
    /// A log that keeps the whole contract, with the given name and the limits most logs have: 128 operations,
    /// 1 MiB a transaction, 1 KiB a key, 1 MiB a value, leases up to a year, of any number of records. Change what differs.
    #[must_use]
    pub fn full(name: &'static str) -> Capabilities {
        Capabilities {
            name,
            max_operations: 128,
            max_transaction_bytes: 1024 * 1024,
            max_key_bytes: 1024,
            max_value_bytes: 1024 * 1024,
            max_ttl: Duration::from_secs(365 * 24 * 60 * 60),
            spans_keyspaces: true,
            linearizable_head: true,
            every_commit: true,
            durable: true,
            fenced: true,
            leases: true,
            atomic_leases: true,
            records_per_lease: usize::MAX,
            history: true,
            differences: true,
        }
    }
}
