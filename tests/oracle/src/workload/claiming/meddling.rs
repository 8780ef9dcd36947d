//! Third parties, who end what others have before its time.
//!
//! They say so: of what they end, its owner learns only from the log.

use fastrand::Rng;
use globe::log_client::{LogClient, Record, Transaction};
use globe::{Claim, Keyspace, Result};

use super::{CLAIMS, Claimants, PRESENT};
use crate::history::{Event, Meddled, Meddling, Place};

impl Claimants {
    /// Deletes some claim or entry, or ends the lease it stands under. The log has to be a bare one, on which what this does is
    /// done when it returns.
    ///
    /// # Errors
    /// What the log says.
    pub async fn meddle(&self, log: &impl LogClient, rng: &mut Rng) -> Result<()> {
        let name = if rng.bool() { CLAIMS } else { PRESENT };
        let keyspace = Keyspace::new(name)?;
        let records = log.snapshot(&keyspace).await?.collect().await?;
        let leased: Vec<Record> = records
            .into_iter()
            .filter(|it| it.lease.is_some())
            .collect();
        let Some(record) = rng.choice(leased) else {
            return Ok(());
        };
        let key = String::from_utf8_lossy(&record.key).into_owned();
        let call = self.recorder.now();
        let (whose, done) = match record.lease.filter(|_| rng.bool()) {
            Some(lease) => (
                Meddling::Session(owner(&record, &key)),
                log.revoke(lease).await,
            ),
            None => {
                let place = Place {
                    keyspace: name.to_owned(),
                    key,
                };
                let delete = Transaction::new().delete(&keyspace, record.key.clone());
                (Meddling::Record(place), log.commit(delete).await.map(drop))
            }
        };
        let ret = done.is_ok().then(|| self.recorder.now());
        self.recorder
            .record(Event::Meddled(Meddled { whose, call, ret }));
        done
    }
}

/// The name of the session that a record is of.
fn owner(record: &Record, key: &str) -> String {
    match serde_json::from_slice::<Claim>(&record.value) {
        Ok(claim) if !claim.by.is_empty() => claim.by,
        _ => key
            .rsplit_once('-')
            .map_or_else(String::new, |(name, _)| name.to_owned()),
    }
}
