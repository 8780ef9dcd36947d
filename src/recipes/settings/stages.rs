//! A roll-out that is under way: further, to its end, or back.
//!
//! Never goes on from a stage that somebody else has changed.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::recipes::settings::append::Found;
use crate::recipes::settings::keys::LayerKeys;
use crate::recipes::settings::publish::expect;
use crate::recipes::settings::record::{RolloutRecord, checked};
use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::slot::Declared;
use crate::{Position, Result, Version, View, Written};

/// A roll-out that is under way. It is a record in the log, so that dropping this changes nothing: the stage stays, and
/// whoever asks for it by [`Setting::staged`] can go on with it.
///
/// Each step costs a round trip, and is refused with `Conflict` when somebody else has changed the roll-out meanwhile. Cancel
/// safe, as every write is: one that was dropped has happened as a whole or not at all, and [`Setting::staged`] says which.
#[must_use = "dropping it leaves the roll-out where it is"]
pub struct Staged<T> {
    pub(crate) setting: Setting<T>,
    pub(crate) keys: LayerKeys,
    pub(crate) record: RolloutRecord,
    pub(crate) version: Version,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Staged<T> {
    /// What was written; shown here.
    pub(crate) fn seen(
        setting: Setting<T>,
        keys: LayerKeys,
        record: RolloutRecord,
        written: Written,
    ) -> Staged<T> {
        setting.book.refresh(|key| key == setting.slot.key());
        let version = written.version().unwrap_or_else(|| {
            let position = written.position();
            Version::new(position.epoch, position.revision)
        });
        Staged {
            setting,
            keys,
            record,
            version,
        }
    }

    /// How many percent it selects.
    #[must_use]
    pub fn percent(&self) -> f64 {
        self.record.percent().unwrap_or_default()
    }

    /// Selects so many percent from now on, be it more or less.
    ///
    /// # Errors
    /// `Invalid` for what is no percentage; `Conflict`; otherwise as every write.
    pub async fn advance(self, percent: impl Into<f64>) -> Result<Staged<T>> {
        let mut record = self.record;
        record.percent = checked(percent.into())?;
        let (map, key) = (&self.setting.book.map, self.keys.rollout());
        let written = map.put_if(key, record.json()?, self.version).await?;
        Ok(Staged::seen(self.setting, self.keys, record, written))
    }

    /// Publishes the value for all who have the layer, whatever stands there, and ends the roll-out, in one transaction.
    ///
    /// # Errors
    /// `Invalid` when the value is refused by now; `Conflict`; otherwise as every write.
    pub async fn finish(self) -> Result<Position> {
        let (map, key) = (&self.setting.book.map, self.keys.rollout());
        let make = |_: &View<_, _>, _: Option<&Value>| Ok(Some(self.record.value.clone()));
        let committing = self.setting.commit(&self.keys, make, |txn, _| {
            let found = Found::at(txn, map, &key)?;
            expect(map, &key, &found, Some(self.version))?;
            txn.delete(map, key.as_str())
        });
        committing.await
    }

    /// Ends the roll-out: what stands at the layer counts for all again.
    ///
    /// # Errors
    /// `Conflict`; otherwise as every write.
    pub async fn abort(self) -> Result<Position> {
        let map = &self.setting.book.map;
        let written = map.delete_if(self.keys.rollout(), self.version).await?;
        let slot = &self.setting.slot;
        self.setting.book.refresh(|key| key == slot.key());
        Ok(written.position())
    }
}

impl<T> fmt::Debug for Staged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged")
            .field("setting", &self.setting.name())
            .field("layer", &self.keys.layer)
            .field("percent", &self.record.percent)
            .finish_non_exhaustive()
    }
}
