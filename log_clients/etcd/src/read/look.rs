//! A look at which life of the log this is, for who asks about no keyspace.
//!
//! Never says where the log stands: only what is remembered of its life is brought up to date.

use etcd_client::TxnOp;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::members::call::{CallOptions, Repeat};
use crate::members::dial::Purpose;

impl Cluster {
    /// Looks which life of the log this is, over the connection for this purpose: from then on that is known to lead there.
    ///
    /// A role may not be allowed to read in every keyspace, so this reads in one that could be read before, else the epoch
    /// marker. Who may read neither is `Denied`.
    pub(crate) async fn look(&self, purpose: Purpose, deadline: Instant) -> Result<(), Fault> {
        let call_options = CallOptions {
            purpose,
            ..self.endpoints.call_options(Repeat::Harmless, deadline)
        };
        loop {
            let keyspace = self.life.readable();
            let marker = || TxnOp::get(self.keys.epoch_marker(), None);
            let probe = keyspace.as_ref().map_or_else(marker, |one| self.probe(one));
            let seen = self.read_beside(&probe, &[], None, call_options).await;
            match (seen, keyspace) {
                (Err(fault), Some(keyspace)) if fault.class == Class::Denied => {
                    self.life.set_unreadable(&keyspace);
                }
                (seen, _) => return seen.map(drop),
            }
        }
    }
}
