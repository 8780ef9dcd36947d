//! The ways to read a setting: now, all the time, whenever it changes, and why it is so.
//!
//! It only makes the handles: what each shows, and when, is its own to say.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::recipes::settings::current::{CachedSetting, Current};
use crate::recipes::settings::explanation::Explanation;
use crate::recipes::settings::problem::Problem;
use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::slot::Declared;
use crate::recipes::settings::watch::SettingWatch;

/// Reading: local, without waiting.
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Setting<T> {
    /// The value now: local, without waiting, whatever other threads do. It was decoded and checked when it arrived. What
    /// several reads of one request must agree on is read from one [`Current`]. For who reads it all the time and has a handle of
    /// his own there is [`Setting::cached`].
    #[inline]
    #[must_use]
    pub fn get(&self) -> Current<T> {
        Current {
            shown: self.slot.shown.load(),
        }
    }

    /// A handle for who reads it on every request: about a nanosecond each.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{MemoryLog, Settings, settings::Scope};
    /// # let settings = Settings::open(MemoryLog::new(), "settings", Scope::new("web-7")).await?;
    /// let limit = settings.declare("limit", 100_u64).open()?;
    /// let mut here = limit.cached();
    /// limit.publish("global", 200).await?;
    /// assert_eq!(*here.get(), 200);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn cached(&self) -> CachedSetting<T> {
        CachedSetting::new(self)
    }

    /// Follows the value, from what it is now.
    #[must_use]
    pub fn watch(&self) -> SettingWatch<T> {
        SettingWatch::new(self)
    }

    /// Why the value is what it is: field by field which layer says so, who published it, when. Local; costs a walk through
    /// the fields. Holds no value. Written as JSON it fits a page for operators.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let problems = self.slot.problems();
        Explanation::of(
            self.name(),
            self.book.scope.instance(),
            &self.slot.findings(),
            problems,
        )
    }

    /// What is wrong with it: values and records that were refused, and where its value could not be applied.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.slot.problems()
    }
}
