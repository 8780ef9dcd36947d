//! Opening settings: what can be set, with its default, and what is refused.
//!
//! Nothing here runs once they are open.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;

use crate::recipes::settings::book::{Book, Settings};
use crate::recipes::settings::follower::{Ears, follow};
use crate::recipes::settings::recorder::keep_records;
use crate::recipes::settings::scope::Scope;
use crate::recipes::settings::slot::Records;
use crate::{Builder, Error, ErrorKind, Globe, Guard, LogClient, Offline, Result};

/// How many values a history keeps, unless something else is said.
const KEEP: u64 = 10;

/// The most it may keep: each process holds them all.
const MOST_KEPT: u64 = 1_000;

/// Settings that are about to be opened: made by [`Settings::builder`].
#[must_use = "they are opened by `open` or `start`"]
pub struct SettingsBuilder {
    map: Builder<String, Value>,
    scope: Scope,
    by: Option<String>,
    keep: u64,
}

impl Settings {
    /// Opens the settings that stand in a keyspace, for a process, and waits until they are known.
    ///
    /// Costs what a map costs: every process holds the settings of all, with their histories. Dropping the call stops
    /// everything.
    ///
    /// # Errors
    /// As [`SettingsBuilder::open`].
    pub async fn open(log: impl LogClient, keyspace: &str, scope: Scope) -> Result<Settings> {
        Settings::builder(log, keyspace, scope).open().await
    }

    /// Settings that differ from the usual ones.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{MemoryLog, Settings, settings::Scope};
    /// let log = MemoryLog::new();
    /// log.set_available(false);
    /// let settings = Settings::builder(log.clone(), "settings", Scope::new("web-7")).by("deploy").start()?;
    /// let limit = settings.declare("limit", 100_u64).open()?;
    /// assert_eq!(*limit.get(), 100); // from the default, while the log is away
    /// log.set_available(true);
    /// settings.hydrated().await?;
    /// # Ok(()) }
    /// ```
    pub fn builder(log: impl LogClient, keyspace: &str, scope: Scope) -> SettingsBuilder {
        SettingsBuilder {
            map: Globe::builder(log, keyspace).guard(Guard::hold()),
            scope,
            by: None,
            keep: KEEP,
        }
    }
}

impl SettingsBuilder {
    /// Who publishes, as the history says it. Default: the instance of the scope.
    pub fn by(mut self, name: impl Into<String>) -> SettingsBuilder {
        self.by = Some(name.into());
        self
    }

    /// How many values the history of a layer keeps, with the one that stands: 2 to 1,000. Default 10. Each process holds them
    /// all. Of processes that differ the last who publishes decides.
    pub fn keep(mut self, values: u64) -> SettingsBuilder {
        self.keep = values;
        self
    }

    /// Keeps a copy on disk, and begins with it while the log is down: it shows the values of then, and its
    /// [status](Settings::status) says how old they are. Default none. See [`Builder::offline`](crate::Builder::offline).
    pub fn offline(mut self, offline: Offline) -> Self {
        self.map = self.map.offline(offline);
        self
    }

    /// Whether a step of the log that takes nearly all settings away is withheld. Default [`Guard::hold`]: every process of the
    /// cluster would go back to its defaults at once, which is hardly ever meant. Where it is, somebody
    /// [accepts](Settings::accept_withheld) it, or it comes a minute later. What is taken back through these settings passes.
    pub fn guard(mut self, guard: Guard) -> SettingsBuilder {
        self.map = self.map.guard(guard);
        self
    }

    /// How long [`SettingsBuilder::open`] waits for the log. Default 10 s.
    pub fn open_timeout(mut self, bound: Duration) -> SettingsBuilder {
        self.map = self.map.open_timeout(bound);
        self
    }

    /// How long publishing may take in all, with every retry. Default 10 s.
    pub fn deadline(mut self, bound: Duration) -> SettingsBuilder {
        self.map = self.map.deadline(bound);
        self
    }

    /// Opens them, and waits until what stands in the log is known, at most for the open timeout. Cancel safe.
    ///
    /// # Errors
    /// `Invalid` for a scope with an empty name, or a kind twice, and for a history that keeps too few or too many; otherwise
    /// as [`Builder::open`].
    pub async fn open(self) -> Result<Settings> {
        self.check()?;
        let map = self.map.open().await?;
        begin(map, self.scope, self.by, self.keep)
    }

    /// Opens them and returns at once, whether the log can be reached or not: settings have their defaults, and move when the
    /// log appears, however long that takes.
    ///
    /// # Errors
    /// As [`SettingsBuilder::open`], but for the log.
    pub fn start(self) -> Result<Settings> {
        self.check()?;
        let map = self.map.start()?;
        begin(map, self.scope, self.by, self.keep)
    }

    fn check(&self) -> Result<()> {
        self.scope.check()?;
        if !(2..=MOST_KEPT).contains(&self.keep) {
            let keep = self.keep;
            let why = format!("a history cannot keep {keep} values: 2 to {MOST_KEPT} are allowed");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        Ok(())
    }
}

/// Follows the map for as long as somebody holds the settings.
fn begin(map: Records, scope: Scope, by: Option<String>, keep: u64) -> Result<Settings> {
    let runtime = Handle::try_current().map_err(|error| {
        Error::new(ErrorKind::Invalid, "settings need a tokio runtime").with_source(error)
    })?;
    let by = by.unwrap_or_else(|| scope.instance().to_owned());
    let ears = Ears {
        changes: map.watch(),
        quarantine: map.watch_quarantine(),
    };
    let book = Arc::new(Book::new(map, (scope, by), keep, runtime));
    let is_due = Arc::clone(&book.is_due);
    book.runtime.spawn(follow(Arc::downgrade(&book), ears));
    book.runtime
        .spawn(keep_records(Arc::downgrade(&book), is_due));
    Ok(Settings { book })
}

impl fmt::Debug for SettingsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsBuilder")
            .field("map", &self.map)
            .field("scope", &self.scope)
            .field("by", &self.by)
            .field("keep", &self.keep)
            .finish()
    }
}
