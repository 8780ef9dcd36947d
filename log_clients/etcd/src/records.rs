//! From etcd's records to the contract's.
//!
//! Never copies a value.

use bytes::Bytes;
use etcd_client::proto::PbKeyValue;
use globe_log_client::{Keyspace, LeaseId, Record, Revision, Standing};

use crate::keys::Keys;

/// The record of a keyspace that etcd calls `found`.
pub(crate) fn record(keys: &Keys, keyspace: &Keyspace, found: PbKeyValue) -> Record {
    let Standing {
        created,
        modified,
        lease,
    } = standing(&found);
    Record {
        key: keys.strip(keyspace, found.key),
        value: Bytes::from(found.value),
        created,
        modified,
        lease,
    }
}

/// What stands at a key, whether or not its value was read.
pub(crate) fn standing(found: &PbKeyValue) -> Standing {
    Standing {
        created: revision(found.create_revision),
        modified: revision(found.mod_revision),
        lease: (found.lease != 0).then_some(LeaseId(found.lease)),
    }
}

pub(crate) fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).unwrap_or(0))
}

/// The number etcd wants; past its largest, its largest.
pub(crate) fn number(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
