//! From etcd's records to the contract's.
//!
//! Never copies a value.

pub(crate) mod keys;
pub(crate) mod marker;
pub(crate) mod reserved;
pub(crate) mod witness;

use etcd_client::proto::PbKeyValue;
use globe_log_client::{Keyspace, LeaseId, Record, Revision, Standing};

use crate::records::keys::Keys;

/// The record of a keyspace that etcd calls `found`.
pub(crate) fn record(keys: &Keys, keyspace: &Keyspace, found: PbKeyValue) -> Record {
    let stands = standing(&found);
    let key = keys.strip(keyspace, found.key);
    Record::new(key, found.value, stands.created, stands.modified).with_lease(stands.lease)
}

/// What stands at a key, whether or not its value was read.
pub(crate) fn standing(found: &PbKeyValue) -> Standing {
    let lease = (found.lease != 0).then(|| lease_id(found.lease));
    let (created, modified) = (found.create_revision, found.mod_revision);
    Standing::new(revision(created), revision(modified)).with_lease(lease)
}

pub(crate) fn lease_id(number: i64) -> LeaseId {
    LeaseId::new(number.cast_unsigned())
}

/// The number by which etcd knows a lease.
pub(crate) fn lease_number(lease: LeaseId) -> i64 {
    lease.get().cast_signed()
}

pub(crate) fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).unwrap_or(0))
}

/// The number etcd wants; past its largest, its largest.
pub(crate) fn number(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
