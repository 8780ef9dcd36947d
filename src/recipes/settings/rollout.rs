//! A value for some of those who have a layer: how it begins.
//!
//! Never replaces a roll-out that is under way.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::recipes::settings::record::{RolloutRecord, checked};
use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::sheet::LayerSheet;
use crate::recipes::settings::stages::Staged;
use crate::recipes::settings::stamp;

/// A roll-out that is about to begin: made by [`Setting::rollout`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{MemoryLog, Settings, settings::Scope};
/// # let settings = Settings::open(MemoryLog::new(), "settings", Scope::new("web-7")).await?;
/// let limit = settings.declare("limit", 100_u64).open()?;
/// let staged = limit.rollout("global", 200).percent(5).start().await?;
/// // …it looks good…
/// let staged = staged.advance(50).await?;
/// staged.finish().await?; // for all: published, and in the history
/// assert_eq!(*limit.get(), 200);
/// # Ok(()) }
/// ```
#[must_use = "it begins with `start` or `run`"]
pub struct Rollout<T> {
    setting: Setting<T>,
    layer: String,
    value: T,
    percent: f64,
    only: BTreeMap<String, String>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Setting<T> {
    /// A value for some of those who have a layer, by stages: the record `{name}/{layer}/rollout`. It counts there instead of
    /// what stands at the layer, for the processes it selects.
    pub fn rollout(&self, layer: &str, value: T) -> Rollout<T> {
        Rollout {
            setting: self.clone(),
            layer: layer.to_owned(),
            value,
            percent: 0.0,
            only: BTreeMap::new(),
        }
    }

    /// The roll-out that is under way at a layer, as this process sees it: begun by whomever.
    ///
    /// # Errors
    /// `Invalid` for what is no layer.
    pub fn staged(&self, layer: &str) -> Result<Option<Staged<T>>> {
        let keys = self.keys(layer)?;
        let sheet = LayerSheet::of(&self.book.map.view(), &keys, &mut Vec::new());
        let staged = sheet.rollout.map(|stands| Staged {
            setting: self.clone(),
            keys,
            record: stands.is,
            version: stands.since,
        });
        Ok(staged)
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Rollout<T> {
    /// How many percent of the processes, 0 to 100, to the hundredth. Default 0: nobody, until it advances. Who is in a share is
    /// in every larger one of this setting.
    pub fn percent(mut self, percent: impl Into<f64>) -> Rollout<T> {
        self.percent = percent.into();
        self
    }

    /// Only processes with this layer or label; of several, those that have all. `host` is the instance.
    pub fn only(mut self, kind: impl Into<String>, value: impl Into<String>) -> Rollout<T> {
        self.only.insert(kind.into(), value.into());
        self
    }

    /// Begins. Costs a round trip. Cancel safe, as every write is.
    ///
    /// # Errors
    /// `Conflict` when another roll-out is under way at this layer; `Invalid` for what is no layer or percentage, and for a
    /// value that is refused; otherwise as every write.
    pub async fn start(self) -> Result<Staged<T>> {
        let setting = self.setting;
        let keys = setting.keys(&self.layer)?;
        let value = setting.slot.judge.write(setting.name(), &self.value)?;
        let view = setting.book.map.view();
        let record = RolloutRecord {
            value: setting.slot.whole(&view, &keys, &value)?,
            percent: checked(self.percent)?,
            only: self.only,
            by: Some(setting.publisher()),
            at: Some(stamp::now()),
        };
        let json = record.json()?;
        let written = setting.book.map.create(keys.rollout(), json).await?;
        Ok(Staged::seen(setting, keys, record, written))
    }
}

impl<T> fmt::Debug for Rollout<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rollout")
            .field("setting", &self.setting.name())
            .field("layer", &self.layer)
            .field("percent", &self.percent)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}
