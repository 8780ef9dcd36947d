//! What `EtcdLog` sends for one put, made by hand with etcd-client.
//!
//! It sends nothing itself, and never by way of Globe.

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};

/// A key, and the revision that it must be at. One that is not known is not compared.
type At<'a> = (&'a str, Option<i64>);

/// A put of a key, guarded by its revision and by that of a slot of its writer, which it moves. The slot ends with a lease.
#[must_use]
pub fn guarded_put(key: At<'_>, value: &str, slot: At<'_>, lease: i64) -> Txn {
    let is_at = |(key, revision): At<'_>| match revision {
        Some(revision) => Compare::mod_revision(key, CompareOp::Equal, revision),
        None => Compare::mod_revision(key, CompareOp::Greater, -1),
    };
    let leased = PutOptions::new().with_lease(lease);
    Txn::new()
        .when([is_at(key), is_at(slot)])
        .and_then([
            TxnOp::put(key.0, value, None),
            TxnOp::put(slot.0, value, Some(leased)),
        ])
        .or_else([TxnOp::get(key.0, None), TxnOp::get(slot.0, None)])
}
