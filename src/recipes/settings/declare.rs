//! A setting that is about to be opened: its name, its default, and what it takes.
//!
//! Never talks to the log: what is known is shown, and the rest comes.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::recipes::settings::book::Settings;
use crate::recipes::settings::judge::Judge;
use crate::recipes::settings::keys::name;
use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::slot::{Declared, Slot};

/// A setting that is about to be opened: made by [`Settings::declare`].
#[must_use = "it is opened by `open`"]
pub struct Declare<T> {
    settings: Settings,
    name: String,
    default: T,
    judge: Judge<T>,
}

impl Settings {
    /// A setting of a name, with the value it has when no layer says anything. A service's whole configuration may be one
    /// setting: what belongs together changes together.
    ///
    /// In keys `/`, `%` and control characters of the name are escaped as in URLs; `http.timeout` stays as it is.
    pub fn declare<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
        &self,
        name: &str,
        default: T,
    ) -> Declare<T> {
        Declare {
            settings: self.clone(),
            name: name.to_owned(),
            default,
            judge: Judge { check: None },
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Declare<T> {
    /// Takes only values of which `check` says nothing bad: it is asked before one is published, and again where it arrives,
    /// on a task of the runtime, which it must not block. What it says is shown to people, so it should not quote the value. It
    /// should depend on nothing but the value: all processes are to agree. One that panics refuses.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{ErrorKind, MemoryLog, Settings, settings::Scope};
    /// # let settings = Settings::open(MemoryLog::new(), "settings", Scope::new("web-7")).await?;
    /// let positive = |limit: &u64| match limit {
    ///     0 => Err("it must be more than zero".to_owned()),
    ///     _ => Ok(()),
    /// };
    /// let limit = settings.declare("limit", 100_u64).check(positive).open()?;
    /// let refused = limit.publish("global", 0).await.unwrap_err();
    /// assert_eq!(*refused.kind(), ErrorKind::Invalid);
    /// # Ok(()) }
    /// ```
    pub fn check(
        mut self,
        check: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static,
    ) -> Declare<T> {
        self.judge.check = Some(Box::new(check));
        self
    }

    /// Opens it, with what is known of it now. A name may be declared several times, each with its own type and check.
    ///
    /// # Errors
    /// `Invalid` for a name without characters, or of more than 512 bytes in a key, and for a default that its check refuses;
    /// `Codec` for a default that JSON cannot hold.
    pub fn open(self) -> Result<Setting<T>> {
        let book = self.settings.book;
        let key = (name(&self.name)?, &book.scope);
        let slot = Arc::new(Slot::new(&self.name, key, self.judge, self.default)?);
        // Before it looks: what changes in between is not missed.
        book.add(&slot);
        book.refresh(|key| key == slot.key());
        Ok(Setting {
            slot,
            book,
            by: None,
        })
    }
}

impl<T> fmt::Debug for Declare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declare")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
