//! The settings of a process: the map they stand in, who it is, and what it has declared.
//!
//! Never keeps a setting that nobody holds any more.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::recipes::settings::judge::contained;
use crate::recipes::settings::problem::Problem;
use crate::recipes::settings::scope::Scope;
use crate::recipes::settings::slot::{Declared, Records};
use crate::{Result, Status, WatchStream, Withheld};

/// The live configuration of a process: typed settings, each with a default, over layers that others publish to. Opened once,
/// cheap to clone; clones are one and the same.
///
/// Each setting is a record `{name}/{layer}` that holds its bare value as JSON, so that every tool of the log can read and
/// write it: `etcdctl put settings/http.timeout/global 250` is a publish. What stands at a more specific layer is laid over
/// what stands at a wider one: objects field by field (RFC 7396), everything else as a whole.
///
/// A value is checked before it is published, and again where it arrives: one that is bad is not shown; the last good one
/// stays, and all processes show the same. [`problems`](Settings::problems) says what was refused.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::settings::Scope;
/// use globe::{MemoryLog, Settings};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Http { timeout_ms: u64, retries: u32 }
///
/// # let log = MemoryLog::new();
/// let settings = Settings::open(log, "settings", Scope::new("web-7").layer("region", "eu")).await?;
/// let http = settings.declare("http", Http { timeout_ms: 250, retries: 2 }).open()?;
/// assert_eq!(http.get().timeout_ms, 250);
///
/// // A layer holds what it changes.
/// http.patch("region:eu", serde_json::json!({"timeout_ms": 400})).await?;
/// assert_eq!((http.get().timeout_ms, http.get().retries), (400, 2));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Settings {
    pub(crate) book: Arc<Book>,
}

pub(crate) struct Book {
    pub(crate) map: Records,
    pub(crate) scope: Scope,
    /// Who publishes.
    pub(crate) by: String,
    /// How many values a history keeps.
    pub(crate) keep: u64,
    pub(crate) runtime: Handle,
    slots: Mutex<Vec<Weak<dyn Declared>>>,
    has_ended: AtomicBool,
    /// The settings in whose history something is missing, by their keys.
    due: Mutex<BTreeSet<String>>,
    pub(crate) is_due: Arc<Notify>,
}

impl Settings {
    /// Whose settings these are.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.book.scope
    }

    /// What is wrong with any setting that is declared and held here: for alarms. Costs a copy of the list.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.book.each(|slot| problems.extend(slot.problems()));
        problems
    }

    /// How the map that the settings stand in is doing: whether it follows its log, and how old it may be.
    #[must_use]
    pub fn status(&self) -> Status {
        self.book.map.status()
    }

    /// Follows what the [guard](crate::settings::SettingsBuilder::guard) withholds, from what it withholds now.
    #[must_use]
    pub fn watch_withheld(&self) -> WatchStream<Option<Withheld>> {
        self.book.map.watch_withheld().into_stream()
    }

    /// Follows what the [guard](crate::settings::SettingsBuilder::guard) withholds: see
    /// [`Reader::accept_withheld`](crate::Reader::accept_withheld). False when it withholds nothing.
    pub fn accept_withheld(&self) -> bool {
        self.book.map.accept_withheld()
    }

    /// Waits until the settings that stand in the log are known: at once, but for settings from
    /// [`SettingsBuilder::start`](crate::settings::SettingsBuilder::start). Settings show it then. Has no deadline. Cancel safe.
    ///
    /// # Errors
    /// Why the map ended, if it did first.
    pub async fn hydrated(&self) -> Result<()> {
        self.book.map.hydrated().await?;
        self.book.refresh_all();
        Ok(())
    }

    /// Stops following the log. Values stay as they are, watches end, publishing is answered with `Closed`. Of all clones.
    pub async fn close(&self) {
        self.book.map.close().await;
    }
}

impl Book {
    pub(crate) fn new(map: Records, who: (Scope, String), keep: u64, runtime: Handle) -> Book {
        let (scope, by) = who;
        Book {
            map,
            scope,
            by,
            keep,
            runtime,
            slots: Mutex::default(),
            has_ended: AtomicBool::new(false),
            due: Mutex::default(),
            is_due: Arc::default(),
        }
    }

    /// From now on it is refreshed, and told of the end.
    pub(crate) fn add(&self, slot: &Arc<impl Declared + 'static>) {
        let declared: Weak<dyn Declared> = Arc::downgrade(slot) as _;
        {
            let mut slots = locked(&self.slots);
            slots.retain(|slot| slot.strong_count() > 0);
            slots.push(declared);
        }
        if self.has_ended.load(Ordering::SeqCst) {
            slot.end();
        }
    }

    /// Does something with each setting that is held, outside of the lock: whoever lets the last go drops values of the
    /// caller's, which may panic.
    pub(crate) fn each(&self, mut with: impl FnMut(&dyn Declared)) {
        let slots: Vec<_> = locked(&self.slots)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for slot in slots {
            with(&*slot);
            contained(|| drop(slot));
        }
    }

    /// Shows what the map holds of settings, by their keys.
    pub(crate) fn refresh(&self, concerns: impl Fn(&str) -> bool) {
        self.each(|slot| {
            if concerns(slot.key()) {
                slot.refresh(&self.map);
                if !slot.unrecorded().is_empty() {
                    self.is_missing(slot.key());
                }
            }
        });
    }

    /// Nothing will change any more.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.each(|slot| slot.end());
    }

    pub(crate) fn refresh_all(&self) {
        self.refresh(|_| true);
    }

    /// Something is missing in the history of a setting.
    pub(crate) fn is_missing(&self, key: &str) {
        locked(&self.due).insert(key.to_owned());
        self.is_due.notify_one();
    }

    /// The settings in whose history something is missing: whoever takes them sees to it.
    pub(crate) fn take_due(&self) -> BTreeSet<String> {
        std::mem::take(&mut locked(&self.due))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Book {
    fn drop(&mut self) {
        // Who waits for it finds that there is no book any more.
        self.is_due.notify_one();
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("keyspace", self.map.keyspace())
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("keyspace", self.book.map.keyspace())
            .field("scope", &self.book.scope)
            .finish_non_exhaustive()
    }
}
