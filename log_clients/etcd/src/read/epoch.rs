//! How all clients of a log agree which life of it this is.
//!
//! Never decides that a life has ended: that is `life::judge`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use globe_log_client::{Epoch, Keyspace};
use tokio::time::{Instant, sleep, timeout_at};

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::{Known, Signs};
use crate::members::backoff::spread;
use crate::members::call::Repeat;
use crate::read::reading::ranges_of;
use crate::records::marker::{FoundMarker, Marker, name};

/// How long the first pause is between names that do not stay, and the longest.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

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
            epoch: Epoch::new(hasher.finish()),
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
    pub(crate) async fn end_epoch(
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

    /// The life as all clients call it. A name that does not stay takes somebody else who writes there all the time, so
    /// from the third round on there is a pause before each, longer every time.
    ///
    /// Compare-and-swap on the marker's revision: of clients that notice together one writes, and the others read what
    /// it wrote.
    async fn agree(&self, known: &Known, signs: &Signs, deadline: Instant) -> Result<Known, Fault> {
        let old = known.marker.unwrap_or_default();
        let mut has_told = false;
        for round in 0.. {
            rest(round, deadline).await?;
            let Some((signs, found_marker)) = self.read_marker(deadline).await? else {
                return Ok(Known::local(signs, old.counter + 1));
            };
            let found = found_marker.marker.unwrap_or_default();
            if found.counter > old.counter && found.id != old.id {
                return Ok(Known::first(&signs));
            }
            if found_marker.is_foreign() && !has_told {
                has_told = true;
                let key = self.keys.epoch_marker();
                let key = String::from_utf8_lossy(&key);
                tracing::warn!(%key, "the epoch record is none that a client of this log wrote: it is replaced");
            }
            let marker = Marker {
                counter: old.counter.max(found.counter) + 1,
                id: fastrand::u64(1..),
            };
            // Whatever became of it, the next look shows what stands there.
            match self
                .write_marker(marker, found_marker.modified, deadline)
                .await
            {
                Err(fault) if matches!(fault.class, Class::Denied | Class::Full) => {
                    tracing::warn!(reason = %fault, "the new epoch cannot be told to other clients");
                    return Ok(Known::local(&signs, marker.counter));
                }
                written => written?,
            }
        }
        Err(not_named())
    }

    /// What stands in the marker's place; nothing if that cannot be read.
    async fn read_marker(&self, deadline: Instant) -> Result<Option<(Signs, FoundMarker)>, Fault> {
        let read = Txn::new().and_then([TxnOp::get(self.keys.epoch_marker(), None)]);
        let answer = match self.send(Repeat::Harmless, read, deadline).await {
            Err(fault) if fault.class == Class::Denied => return Ok(None),
            answer => answer?,
        };
        let mut signs = Signs::of(answer.header.as_ref());
        let answers = ranges_of(answer);
        let found_marker = answers
            .first()
            .map_or_else(FoundMarker::default, FoundMarker::in_answer);
        signs.marker = Some(found_marker.marker);
        Ok(Some((signs, found_marker)))
    }

    /// Writes a marker in place of what was written there at this revision.
    async fn write_marker(
        &self,
        marker: Marker,
        modified: i64,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let key = self.keys.epoch_marker();
        let invalid = |error: serde_json::Error| Fault::new(Class::Refused, error.to_string());
        let value = serde_json::to_vec(&marker).map_err(invalid)?;
        let guard = Compare::mod_revision(key.clone(), CompareOp::Equal, modified);
        let write = Txn::new()
            .when([guard])
            .and_then([TxnOp::put(key, value, None)]);
        self.send(Repeat::Harmless, write, deadline).await?;
        Ok(())
    }
}

/// Waits before another round, if there is time for one.
async fn rest(round: u32, deadline: Instant) -> Result<(), Fault> {
    if round < 2 {
        return Ok(());
    }
    let pause = PAUSE.saturating_mul(1 << (round - 2).min(16));
    let pause = spread(pause.min(LONGEST_PAUSE), fastrand::f64());
    if Instant::now() + pause >= deadline {
        return Err(not_named());
    }
    sleep(pause).await;
    Ok(())
}

/// Nothing of the caller's was done: the next call tries again.
fn not_named() -> Fault {
    let text =
        "the new epoch could not be named: something else writes the epoch record all the time";
    Fault::new(Class::NeverSent, text)
}
