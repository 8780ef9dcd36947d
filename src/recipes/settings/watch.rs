//! Follows the value of a setting.
//!
//! Never shows what came and went between two looks, nor the same value twice.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch::Receiver;

use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::slot::Told;

/// Follows the value of a setting: made by [`Setting::watch`]. It keeps the setting going, and the value it showed last.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{MemoryLog, Settings, settings::Scope};
/// # let settings = Settings::open(MemoryLog::new(), "settings", Scope::new("web-7")).await?;
/// let limit = settings.declare("limit", 100_u64).open()?;
/// let mut watch = limit.watch();
/// limit.publish("global", 200).await?;
/// let (old, new) = watch.next().await.expect("the settings are open");
/// assert_eq!((*old, *new), (100, 200));
/// # Ok(()) }
/// ```
pub struct SettingWatch<T> {
    setting: Setting<T>,
    told: Receiver<Told>,
    shown: Arc<T>,
}

impl<T> SettingWatch<T> {
    pub(crate) fn new(setting: &Setting<T>) -> SettingWatch<T> {
        // Subscribed before looking: what changes in between is not missed.
        let told = setting.slot.told.subscribe();
        SettingWatch {
            shown: Arc::clone(&setting.slot.shown.load().value),
            setting: setting.clone(),
            told,
        }
    }

    /// Waits until the value is another one; what it was, and what it is now. A value that is written again with the same JSON
    /// is no other one. `None` when the settings were closed and everything was shown. Cancel safe.
    pub async fn next(&mut self) -> Option<(Arc<T>, Arc<T>)> {
        loop {
            // Asked before looking: what changed before the end is still shown.
            let told = *self.told.borrow_and_update();
            let now = Arc::clone(&self.setting.slot.shown.load().value);
            if !Arc::ptr_eq(&now, &self.shown) {
                let before = std::mem::replace(&mut self.shown, Arc::clone(&now));
                return Some((before, now));
            }
            if told.has_ended {
                return None;
            }
            self.told.changed().await.ok()?;
        }
    }
}

impl<T> fmt::Debug for SettingWatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingWatch")
            .field("name", &self.setting.slot.name)
            .finish_non_exhaustive()
    }
}
