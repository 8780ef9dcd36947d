//! A part of a setting that is applied to something of the caller's, now and whenever it changes.
//!
//! Never applies the same part again that was taken, and never forgets one that was refused.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::AbortHandle;

use crate::recipes::settings::judge::contained;
use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::slot::Slot;
use crate::recipes::settings::watch::SettingWatch;

/// A part of a setting that is applied: made by [`Setting::bind`]. Dropping it ends it.
#[must_use = "dropping it ends it"]
pub struct Binding {
    task: AbortHandle,
    forget: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Setting<T> {
    /// Applies a part of the value: at once, before it returns, and then in a task of its own whenever that part has changed.
    /// What `apply` refuses, or panics at, stands in [`Setting::problems`] until one is taken; it is tried again when the
    /// setting changes. It keeps the setting going.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{MemoryLog, Settings, settings::Scope};
    /// # use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// # let settings = Settings::open(MemoryLog::new(), "settings", Scope::new("web-7")).await?;
    /// let limit = settings.declare("limit", 100_u64).open()?;
    /// let pool = Arc::new(AtomicU64::new(0));
    /// let binding = limit.bind(|limit| limit / 10, {
    ///     let pool = Arc::clone(&pool);
    ///     move |size| {
    ///         pool.store(*size, Ordering::Relaxed);
    ///         Ok::<_, String>(())
    ///     }
    /// });
    /// assert_eq!(pool.load(Ordering::Relaxed), 10);
    /// # drop(binding);
    /// # Ok(()) }
    /// ```
    pub fn bind<P, E>(
        &self,
        part: impl Fn(&T) -> P + Send + 'static,
        apply: impl FnMut(&P) -> Result<(), E> + Send + 'static,
    ) -> Binding
    where
        P: PartialEq + Send + 'static,
        E: fmt::Display,
    {
        let mut watch = SettingWatch::new(self);
        let (slot, reporter) = (Arc::clone(&self.slot), self.slot.reporter());
        let mut bound = Bound {
            part,
            apply,
            applied: None,
            report: move |why| slot.report(reporter, "binding", why),
        };
        bound.follow(self.slot.shown.load().value.as_ref());
        let task = self.book.runtime.spawn(async move {
            while let Some((_, new)) = watch.next().await {
                bound.follow(&new);
            }
        });
        let slot: Arc<Slot<T>> = Arc::clone(&self.slot);
        Binding {
            task: task.abort_handle(),
            forget: Some(Box::new(move || slot.forget(reporter))),
        }
    }
}

/// What is applied, and what was taken last.
struct Bound<P, Part, Apply, Report> {
    part: Part,
    apply: Apply,
    applied: Option<P>,
    report: Report,
}

impl<P: PartialEq, Part, Apply, Report: Fn(Option<String>)> Bound<P, Part, Apply, Report> {
    fn follow<T, E: fmt::Display>(&mut self, value: &T)
    where
        Part: Fn(&T) -> P,
        Apply: FnMut(&P) -> Result<(), E>,
    {
        let applying = contained(|| {
            let part = (self.part)(value);
            if self.applied.as_ref() != Some(&part) {
                (self.apply)(&part).map_err(|error| error.to_string())?;
                self.applied = Some(part);
            }
            Ok::<_, String>(())
        });
        (self.report)(match applying {
            Some(outcome) => outcome.err(),
            None => Some("applying it panicked".to_owned()),
        });
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(forget) = self.forget.take() {
            forget();
        }
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("has_ended", &self.task.is_finished())
            .finish()
    }
}
