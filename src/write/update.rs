//! A new value made of the old one, by a closure of the caller's.
//!
//! Nothing is locked meanwhile: it is computed again until nobody came in between.

use std::sync::Arc;

use globe_log_client::{Error, ErrorKind, Result};

use crate::entry::key::Key;
use crate::write::attempt::{Basis, Outcome};
use crate::write::write_set::{Stands, WriteSet};
use crate::write::writer::Writer;

impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Replaces a value by what a closure makes of it, again and again until nobody came in between.
    pub(crate) async fn update(
        &self,
        key: &K,
        mut next: impl FnMut(Option<&V>) -> V,
    ) -> Result<Arc<V>> {
        let mut committer = self.committer();
        let text = self.encode_key(key)?;
        loop {
            let state = self.replica.state();
            if let Some(bad) = state.quarantine.get(&text) {
                let why = format!(
                    "{} cannot be updated: its value cannot be decoded: {}",
                    self.name(&text),
                    bad.reason
                );
                return Err(Error::new(ErrorKind::Codec, why));
            }
            let old = state.entries.get(key);
            let stands = old.map_or(Stands::Nothing, Stands::entry);
            let value = next(old.map(|entry| &**entry.value()));
            let draft = self.draft(&text, &value, false)?;
            let set = WriteSet::one(state.epoch(), text.clone(), stands, draft);
            // What is under way keeps nothing of the map.
            drop(state);
            let outcome = self.commit(&mut committer, &set, Basis::Read).await?;
            if let Outcome::Committed(_) = outcome {
                return Ok(Arc::new(value));
            }
        }
    }
}
