//! The value of a setting, as it is read: shared by all, or kept by one who reads it all the time.
//!
//! Never waits, never fails, and never looks at the map.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::cache::Cache;
use arc_swap::{ArcSwap, Guard};

use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::slot::Shown;
use crate::recipes::settings::source::Source;

/// What [`Setting::get`] shows: the value at that moment, as which it can be read. It stands still; the setting goes on.
pub struct Current<T> {
    pub(crate) shown: Guard<Arc<Shown<T>>>,
}

impl<T> Current<T> {
    /// Which layer it comes from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.shown.source
    }

    /// The value, to be kept.
    #[must_use]
    pub fn value(&self) -> &Arc<T> {
        &self.shown.value
    }
}

impl<T> Deref for Current<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.shown.value
    }
}

impl<T> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current")
            .field("source", &self.shown.source)
            .finish_non_exhaustive()
    }
}

/// A setting for who reads it on every request: made by [`Setting::cached`]. While the value does not change, a read is one
/// look at a pointer, whatever other threads do.
///
/// It is as fresh as [`Setting::get`]. Reading takes `&mut`: clone it for each thread. It keeps its value until the next read.
pub struct CachedSetting<T> {
    cache: Cache<Arc<ArcSwap<Shown<T>>>, Arc<Shown<T>>>,
    setting: Setting<T>,
}

impl<T> CachedSetting<T> {
    pub(crate) fn new(setting: &Setting<T>) -> CachedSetting<T> {
        CachedSetting {
            cache: Cache::new(Arc::clone(&setting.slot.shown)),
            setting: setting.clone(),
        }
    }

    /// The value: local, without waiting.
    #[inline]
    #[must_use]
    pub fn get(&mut self) -> &T {
        &self.cache.load().value
    }

    /// The setting.
    #[must_use]
    pub fn setting(&self) -> &Setting<T> {
        &self.setting
    }
}

impl<T> Clone for CachedSetting<T> {
    fn clone(&self) -> CachedSetting<T> {
        CachedSetting::new(&self.setting)
    }
}

impl<T> fmt::Debug for CachedSetting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedSetting")
            .field("name", &self.setting.slot.name)
            .finish_non_exhaustive()
    }
}
