//! A roll-out that goes from stage to stage by itself.
//!
//! Never goes on when a check says no, nor back by itself when whoever runs it dies.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use crate::recipes::settings::record::checked;
use crate::recipes::settings::rollout::Rollout;
use crate::{Error, ErrorKind, Position, Result};

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Rollout<T> {
    /// Begins, and goes from stage to stage: selects so many percent, pauses, and asks `check` whether it looks good. After the
    /// last stage it finishes; when `check` says why not, it aborts. Dropping the call leaves the stage where it is; so does a
    /// crash.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{MemoryLog, Settings, settings::Scope};
    /// # use std::time::Duration;
    /// # let settings = Settings::open(MemoryLog::new(), "settings", Scope::new("web-7")).await?;
    /// # async fn error_rate() -> f64 { 0.0 }
    /// let limit = settings.declare("limit", 100_u64).open()?;
    /// let pause = Duration::from_millis(1);
    /// let looks_good = async |_percent: f64| match error_rate().await {
    ///     rate if rate > 0.01 => Err("too many errors".to_owned()),
    ///     _ => Ok(()),
    /// };
    /// limit.rollout("global", 200).run(&[1, 10, 100], pause, looks_good).await?;
    /// assert_eq!(*limit.get(), 200);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Aborted` with what `check` said; `Invalid` without stages; otherwise as [`Rollout::start`] and each step of
    /// [`Staged`](crate::settings::Staged).
    pub async fn run<P: Into<f64> + Copy>(
        self,
        stages: &[P],
        pause: Duration,
        mut check: impl AsyncFnMut(f64) -> Result<(), String>,
    ) -> Result<Position> {
        let Some((first, others)) = stages.split_first() else {
            return Err(Error::new(ErrorKind::Invalid, "a roll-out has no stages"));
        };
        // All before the first is sent.
        for stage in stages {
            checked((*stage).into())?;
        }
        let mut staged = self.percent(*first).start().await?;
        let mut others = others.iter();
        loop {
            sleep(pause).await;
            if let Err(why) = check(staged.percent()).await {
                let (name, percent) = (staged.setting.name().to_owned(), staged.percent());
                staged.abort().await?;
                let why = format!("the roll-out of {name} was aborted at {percent} percent: {why}");
                return Err(Error::new(ErrorKind::Aborted, why));
            }
            staged = match others.next() {
                Some(stage) => staged.advance(*stage).await?,
                None => return staged.finish().await,
            };
        }
    }
}
