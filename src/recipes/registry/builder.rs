//! Opening a registry: its settings with their defaults; then its parts are put together.
//!
//! Nothing here runs once the registry is open.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::recipes::registry::book::Book;
use crate::recipes::registry::follower::{Follower, STEPS};
use crate::recipes::registry::handle::Registry;
use crate::recipes::registry::hub::Hub;
use crate::recipes::registry::record::Record;
use crate::recipes::registry::vanish::Vanish;
use crate::{Builder, Error, ErrorKind, Globe, LogClient, Offline, Result};

/// How long is waited between attempts to reach the log: not as long as by default, so that who was cut off is registered
/// again within a second.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// Settings of a registry that is about to be opened: made by [`Registry::builder`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use std::time::Duration;
/// use globe::registry::Vanish;
/// use globe::{MemoryLog, Registry};
///
/// let registry: Registry<String> = Registry::builder(MemoryLog::new(), "services")
///     .zone("eu-1")
///     .vanish(Vanish::hold(0.3, Duration::from_secs(10), Duration::from_secs(300)))
///     .open()
///     .await?;
/// # let _ = registry;
/// # Ok(()) }
/// ```
#[must_use = "it opens nothing by itself"]
pub struct RegistryBuilder<T> {
    map: Builder<String, Record<T>>,
    vanish: Vanish,
    zone: Option<String>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Registry<T> {
    /// Opens the registry that lives in a keyspace of a log, with the default settings, and waits until it is hydrated. Costs a
    /// snapshot of the keyspace, and one tail for as long as it is open.
    ///
    /// # Errors
    /// As [`Builder::open`](crate::Builder::open) of a map.
    pub async fn open(log: impl LogClient, keyspace: &str) -> Result<Registry<T>> {
        Registry::builder(log, keyspace).open().await
    }

    /// Settings for a registry.
    pub fn builder(log: impl LogClient, keyspace: &str) -> RegistryBuilder<T> {
        RegistryBuilder {
            map: Globe::builder(log, keyspace).retry(RETRY.0, RETRY.1),
            vanish: Vanish::default(),
            zone: None,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> RegistryBuilder<T> {
    /// What is done when many members of a service go at once without having drained. Default: when more than half of three
    /// or more go within 10 s, they are held back for 60 s.
    pub fn vanish(mut self, vanish: Vanish) -> Self {
        self.vanish = vanish;
        self
    }

    /// Where this process is: its pickers prefer members of the same zone. Default none: all members are alike.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Keeps a copy on disk, and begins with it while the log is down: it lists the members of then, and its
    /// [status](Registry::status) says how old that is. Default none. See [`Builder::offline`](crate::Builder::offline).
    pub fn offline(mut self, offline: Offline) -> Self {
        self.map = self.map.offline(offline);
        self
    }

    /// How long [`RegistryBuilder::open`] waits for the first snapshot. Default 10 s.
    pub fn open_timeout(mut self, bound: Duration) -> Self {
        self.map = self.map.open_timeout(bound);
        self
    }

    /// How long registering and its kin may take in all, with every retry. Default 10 s.
    pub fn deadline(mut self, bound: Duration) -> Self {
        self.map = self.map.deadline(bound);
        self
    }

    /// Opens the registry and waits until it is hydrated, at most for the open timeout. Cancel safe: dropping the call stops
    /// everything.
    ///
    /// # Errors
    /// `Invalid` for a guard that cannot be meant; otherwise as [`Builder::open`](crate::Builder::open) of a map.
    pub async fn open(self) -> Result<Registry<T>> {
        self.check()?;
        let map = self.map.open().await?;
        let registry = registry(map, self.vanish, self.zone);
        registry.hub.catch_up().await;
        Ok(registry)
    }

    /// Opens the registry and returns at once, whether the log can be reached or not: it lists nobody before it is
    /// [hydrated](Registry::hydrated), however long that takes.
    ///
    /// # Errors
    /// `Invalid` for a guard that cannot be meant; otherwise as [`Builder::start`](crate::Builder::start) of a map.
    pub fn start(self) -> Result<Registry<T>> {
        self.check()?;
        let map = self.map.start()?;
        Ok(registry(map, self.vanish, self.zone))
    }

    fn check(&self) -> Result<()> {
        self.vanish.check()?;
        match self.zone.as_deref() {
            Some("") => {
                let why = "a zone has no characters";
                Err(Error::new(ErrorKind::Invalid, why))
            }
            _ => Ok(()),
        }
    }
}

/// Lists what stands as soon as it can, and follows the map from there.
fn registry<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
    map: Globe<String, Record<T>>,
    vanish: Vanish,
    zone: Option<String>,
) -> Registry<T> {
    let mut watch = map.watch().every_revision(STEPS);
    let phase = map.watch_phase();
    let view = watch.catch_up();
    let hub = Arc::new(Hub::new(map, zone));
    let follower = Follower {
        hub: Arc::downgrade(&hub),
        asks: Arc::clone(&hub.asks),
        book: Book::new(vanish),
        watch,
        phase,
        view,
    };
    // A map was opened just now, so there is a runtime.
    tokio::spawn(follower.follow());
    Registry { hub }
}

impl<T> fmt::Debug for RegistryBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryBuilder")
            .field("map", &self.map)
            .field("vanish", &self.vanish)
            .field("zone", &self.zone)
            .finish()
    }
}
