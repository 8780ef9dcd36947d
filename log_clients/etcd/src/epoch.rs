//! How all clients of a log agree which life of it this is.
//!
//! Never decides that a life has ended: that is `life::judge`.

use std::hash::{DefaultHasher, Hash, Hasher};

use etcd_client::proto::{PbKeyValue, PbRangeResponse};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use globe_log_client::{Epoch, Keyspace};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::call::Repeat;
use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::{Known, Signs};
use crate::reading::ranges_of;

/// The record by which clients agree on the life of the log. Until a life had to be named there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// How often a new life was named. A greater one is newer.
    pub(crate) counter: u64,
    /// The name of this life.
    pub(crate) id: u64,
    /// When it was written, for the guard of the next.
    #[serde(skip)]
    pub(crate) modified: i64,
}

impl Marker {
    pub(crate) fn read(found: &PbKeyValue) -> Option<Marker> {
        let mut marker: Marker = serde_json::from_slice(&found.value).ok()?;
        marker.modified = found.mod_revision;
        Some(marker)
    }

    pub(crate) fn in_answer(answer: &PbRangeResponse) -> Option<Marker> {
        answer.kvs.first().and_then(Marker::read)
    }
}

/// The life's name: the marker's, or while there is none, the cluster's own.
pub(crate) fn name(marker: Option<Marker>, cluster: u64) -> Epoch {
    Epoch(marker.map_or(cluster, |marker| marker.id))
}

impl Known {
    /// What is known of a life after its first answer.
    pub(crate) fn first(signs: &Signs) -> Known {
        let marker = signs.marker.flatten();
        Known {
            epoch: name(marker, signs.cluster),
            cluster: signs.cluster,
            revision: signs.revision,
            term: signs.term,
            marker,
            witness: None,
        }
    }

    /// A life under a name only this process uses, because its role cannot write one for all.
    fn local(signs: &Signs, counter: u64) -> Known {
        let mut hasher = DefaultHasher::new();
        (signs.cluster, counter, signs.revision, signs.term).hash(&mut hasher);
        Known {
            epoch: Epoch(hasher.finish()),
            ..Known::first(signs)
        }
    }
}

impl Cluster {
    /// Ends the `known` life, because of an answer with these `signs`: takes over the name another client gave to the new
    /// one, or names it. Once, however many notice at the same time.
    pub(crate) async fn begin_again(
        &self,
        known: &Known,
        signs: &Signs,
        why: &str,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let late = |_| {
            Fault::new(
                Class::NeverSent,
                "the new epoch could not be agreed on in time",
            )
        };
        let _turn = timeout_at(deadline, self.life.changing.lock())
            .await
            .map_err(late)?;
        if self.life.known().map(|known| known.epoch) != Some(known.epoch) {
            return Ok(());
        }
        tracing::warn!(
            epoch = %known.epoch,
            revision = known.revision,
            "the etcd log was restored, wiped or replaced: {why}"
        );
        let new = self.agree(known, signs, deadline).await?;
        tracing::info!(epoch = %new.epoch, revision = new.revision, "the etcd log begins another epoch");
        self.life.begin(Some(known.epoch), new);
        Ok(())
    }

    /// Ends the life called `epoch`, if it is the known one, for what was found besides the usual signs.
    pub(crate) async fn disown(
        &self,
        keyspace: &Keyspace,
        epoch: Epoch,
        why: &str,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let Some(known) = self.life.known().filter(|known| known.epoch == epoch) else {
            return Ok(());
        };
        let probe = Txn::new().and_then([self.probe(keyspace)]);
        let answer = self.send(Repeat::Harmless, probe, deadline).await?;
        let signs = Signs::of(answer.header.as_ref());
        self.begin_again(&known, &signs, why, deadline).await
    }

    async fn agree(&self, known: &Known, signs: &Signs, deadline: Instant) -> Result<Known, Fault> {
        let old = known.marker.unwrap_or_default();
        loop {
            let Some((signs, found)) = self.read_marker(deadline).await? else {
                return Ok(Known::local(signs, old.counter + 1));
            };
            let standing = found.unwrap_or_default();
            if standing.counter > old.counter && standing.id != old.id {
                return Ok(Known::first(&signs));
            }
            let marker = Marker {
                counter: old.counter.max(standing.counter) + 1,
                id: fastrand::u64(1..),
                modified: standing.modified,
            };
            // Whatever became of it, the next look shows what stands there.
            match self.write_marker(marker, deadline).await {
                Err(fault) if matches!(fault.class, Class::Denied | Class::Full) => {
                    tracing::warn!(reason = %fault, "the new epoch cannot be told to other clients");
                    return Ok(Known::local(&signs, marker.counter));
                }
                written => written?,
            }
        }
    }

    /// The marker as it stands; nothing if it cannot be read.
    async fn read_marker(
        &self,
        deadline: Instant,
    ) -> Result<Option<(Signs, Option<Marker>)>, Fault> {
        let read = Txn::new().and_then([TxnOp::get(self.keys.epoch_marker(), None)]);
        let answer = match self.send(Repeat::Harmless, read, deadline).await {
            Err(fault) if fault.class == Class::Denied => return Ok(None),
            answer => answer?,
        };
        let mut signs = Signs::of(answer.header.as_ref());
        let answers = ranges_of(answer);
        let found = answers.first().and_then(Marker::in_answer);
        signs.marker = Some(found);
        Ok(Some((signs, found)))
    }

    /// Writes a marker in place of the one whose revision it bears.
    async fn write_marker(&self, marker: Marker, deadline: Instant) -> Result<(), Fault> {
        let key = self.keys.epoch_marker();
        let invalid = |error: serde_json::Error| Fault::new(Class::Refused, error.to_string());
        let value = serde_json::to_vec(&marker).map_err(invalid)?;
        let guard = Compare::mod_revision(key.clone(), CompareOp::Equal, marker.modified);
        let write = Txn::new()
            .when([guard])
            .and_then([TxnOp::put(key, value, None)]);
        self.send(Repeat::Harmless, write, deadline).await?;
        Ok(())
    }
}
