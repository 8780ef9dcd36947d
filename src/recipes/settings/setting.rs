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
}

impl<T> Setting<T> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.slot.name
    }
}

impl<T> Clone for Setting<T> {
    fn clone(&self) -> Setting<T> {
        Setting {
            slot: Arc::clone(&self.slot),
            book: Arc::clone(&self.book),
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
