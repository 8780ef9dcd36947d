//! Code of the caller's that runs whenever a setting changes.
//!
//! Never runs it where others wait for it: it has a task of its own.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::AbortHandle;

use crate::recipes::settings::judge::contained;
use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::slot::Slot;
use crate::recipes::settings::watch::SettingWatch;

/// A reaction to changes of a setting: made by [`Setting::on_change`]. Dropping it ends it.
#[must_use = "dropping it ends it"]
pub struct Subscription {
    task: AbortHandle,
    forget: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Setting<T> {
    /// Calls `react` with the old and the new value whenever the value has changed, from now on, in a task of its own: one
    /// call at a time, and what came and went during a call is left out. A panic in it ends this reaction, and nothing else: it
    /// stands in [`Setting::problems`] until what this returns is dropped. It keeps the setting going.
    pub fn on_change(&self, mut react: impl FnMut(&T, &T) + Send + 'static) -> Subscription {
        let mut watch = SettingWatch::new(self);
        let (slot, reporter) = (Arc::clone(&self.slot), self.slot.reporter());
        let task = self.book.runtime.spawn(async move {
            while let Some((old, new)) = watch.next().await {
                if contained(|| react(&old, &new)).is_none() {
                    let why = "it panicked, and has ended".to_owned();
                    return slot.report(reporter, "reaction", Some(why));
                }
            }
        });
        let slot: Arc<Slot<T>> = Arc::clone(&self.slot);
        Subscription {
            task: task.abort_handle(),
            forget: Some(Box::new(move || slot.forget(reporter))),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(forget) = self.forget.take() {
            forget();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("has_ended", &self.task.is_finished())
            .finish()
    }
}
