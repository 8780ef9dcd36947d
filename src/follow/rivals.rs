//! Of the records of a snapshot whose keys are equal but written otherwise, one is shown and the others are kept out.
//!
//! What is shown stays so for as long as its record is there: it never gives way to another's.

use std::sync::Arc;

use globe_log_client::Record;

use crate::entry::key::Key;
use crate::entry::quarantine::LastGood;
use crate::follow::applier::Applier;
use crate::follow::decoder::{WRITTEN_OTHERWISE, is_written_otherwise};
use crate::follow::door::Refusal;
use crate::follow::installation::Installation;
use crate::ground::pace::Pace;

impl<K: Key, V: Send + Sync + 'static> Applier<K, V> {
    /// Decides which of them are shown, when all of the snapshot is there.
    pub(crate) async fn settle_rivals(
        &mut self,
        install: &mut Installation<K, V>,
    ) -> Result<(), Refusal> {
        let rivals = std::mem::take(&mut install.rivals);
        if rivals.is_empty() {
            return Ok(());
        }
        let mut seen = install.seen().await;
        let mut pace = Pace::new();
        for (key, record) in rivals {
            let stood = install.before.entries.contains_key(&key);
            if stood && seen.insert(install.hash(&key)) {
                install.give_way(&key);
            }
            self.settle_rival(install, key, &record)?;
            pace.step().await;
        }
        Ok(())
    }

    fn settle_rival(
        &mut self,
        install: &mut Installation<K, V>,
        key: Arc<K>,
        record: &Record,
    ) -> Result<(), Refusal> {
        install.notice_missed(record);
        let staged = &mut install.staged;
        if !is_written_otherwise(&staged.state, &key, &record.key) {
            return match self.decoder.entry(record, staged.state.position.epoch) {
                Ok(entry) => {
                    staged.put(key, entry);
                    Ok(())
                }
                Err(reason) => self.read_bad(install, key, record, &reason),
            };
        }
        if install.keep_same_bad(record).is_some() {
            return Ok(());
        }
        let staged = &mut install.staged;
        self.decoder
            .keep_out(staged, record, WRITTEN_OTHERWISE, LastGood::None)
    }
}
