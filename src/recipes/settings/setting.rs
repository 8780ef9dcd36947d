//! One setting: a typed handle that reads without waiting.
//!
//! Never shows a value that its check refuses.

use std::fmt;
use std::sync::Arc;

use crate::recipes::settings::book::Book;
use crate::recipes::settings::slot::Slot;

/// A setting that a process has declared: made by [`Declare::open`](crate::settings::Declare::open). Cheap to clone; it is
/// followed for as long as any handle on it is there.
pub struct Setting<T> {
    pub(crate) slot: Arc<Slot<T>>,
    pub(crate) book: Arc<Book>,
    /// Who publishes by this handle, if it is not whoever opened the settings.
    pub(crate) by: Option<Arc<str>>,
}

impl<T> Setting<T> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// A handle on the same setting by which somebody else publishes, as the history and [`explain`](Setting::explain) say it:
    /// for a page of settings that many people use. It only says who it was, and lets nobody in. Costs a copy of the name.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{MemoryLog, Settings, settings::Scope};
    /// # let settings = Settings::open(MemoryLog::new(), "settings", Scope::new("web-7")).await?;
    /// let limit = settings.declare("limit", 100_u64).open()?;
    /// limit.by("anna").publish("global", 200).await?;
    /// assert_eq!(limit.history("global")?[0].by(), Some("anna"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn by(&self, name: impl Into<String>) -> Setting<T> {
        Setting {
            by: Some(name.into().into()),
            ..self.clone()
        }
    }

    /// Who publishes by this handle.
    pub(crate) fn publisher(&self) -> String {
        let by = self.by.as_deref();
        by.unwrap_or(&self.book.by).to_owned()
    }
}

impl<T> Clone for Setting<T> {
    fn clone(&self) -> Setting<T> {
        Setting {
            slot: Arc::clone(&self.slot),
            book: Arc::clone(&self.book),
            by: self.by.clone(),
        }
    }
}

impl<T> fmt::Debug for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("name", &self.slot.name)
            .finish_non_exhaustive()
    }
}
