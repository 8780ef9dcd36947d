//! Opening a map: every setting with its default, its unit, and why it is so; then its parts are put together.
//!
//! Nothing here runs once the map is open.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Keyspace, LogClient, Result};
use globe_offline::{Offline, RecordedLog};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::entry::codec::{Codec, Decode, Json};
use crate::entry::key::Key;
use crate::follow::applier::Applier;
use crate::follow::opening::opened;
use crate::follow::pauses::Pauses;
use crate::follow::prober::Prober;
use crate::follow::running;
use crate::follow::tailer::Tailer;
use crate::globe::Globe;
use crate::ground::backoff::Patience;
use crate::ground::runtime::runtime;
use crate::map_settings::MapSettings;
use crate::reader::Reader;
use crate::replica::Replica;
use crate::replica::guard::Guard;
use crate::write::writer::Writer;

/// Settings of a map that is about to be opened: one that can write, made by [`Globe::builder`], or a reader, made by
/// [`Reader::builder`], whose codec `C` need only decode.
///
/// Settings say how long something may take, and never change what is correct. Every time is more than zero and at most 24
/// hours; what cannot be meant is `Invalid`, by name, when the map is opened. Setting one costs nothing and talks to nobody.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use std::time::Duration;
/// use globe::{Globe, MemoryLog};
///
/// let flags: Globe<String, bool> = Globe::builder(MemoryLog::new(), "flags")
///     .open_timeout(Duration::from_secs(30)) // the log may start after us
///     .deadline(Duration::from_secs(2)) // a write takes no longer
///     .stale_after(Duration::from_secs(5)) // when `status` says stale
///     .open()
///     .await?;
///
/// let wrong = Globe::<String, bool>::builder(MemoryLog::new(), "flags")
///     .deadline(Duration::ZERO)
///     .open()
///     .await;
/// assert_eq!(*wrong.unwrap_err().kind(), globe::ErrorKind::Invalid);
/// # let _ = flags;
/// # Ok(()) }
/// ```
pub struct Builder<K, V, C: ?Sized = dyn Codec<V>> {
    log: Arc<dyn LogClient>,
    keyspace: String,
    codec: Arc<C>,
    settings: MapSettings,
    offline: Option<Offline>,
    map: std::marker::PhantomData<fn() -> (K, V)>,
}

/// Opening.
impl<K: Key, V: Serialize + DeserializeOwned + Send + Sync + 'static> Globe<K, V> {
    /// Opens the map that lives in a keyspace of a log, with the default settings, and waits until it is hydrated. Values
    /// are JSON in the log.
    ///
    /// To share the connections of one log, pass a clone of it, or an `Arc<dyn LogClient>`, to each map: such an `Arc` is
    /// what [`Reader::log`] then gives back. Costs a snapshot of the keyspace, and one tail for as long as the map is open.
    /// Dropping the call stops everything.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// let log = MemoryLog::new();
    /// let flags: Globe<String, bool> = Globe::open(log.clone(), "flags").await?;
    /// let limits: Globe<String, u64> = Globe::open(log, "limits").await?;
    /// # let _ = (flags, limits);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub async fn open(log: impl LogClient, keyspace: &str) -> Result<Globe<K, V>> {
        Globe::builder(log, keyspace).open().await
    }

    /// Opens a map on the log that a URL names: [`connect`](crate::connect), then [`Globe::open`].
    ///
    /// # Errors
    /// As [`connect`](crate::connect) and [`Builder::open`].
    pub async fn connect(url: &str, keyspace: &str) -> Result<Globe<K, V>> {
        Globe::open(crate::connect::connect(url).await?, keyspace).await
    }

    /// Settings for a map whose values are JSON in the log, or whatever [`Builder::codec`] says.
    pub fn builder(log: impl LogClient, keyspace: &str) -> Builder<K, V> {
        Globe::builder_with(log, keyspace, Json)
    }
}

impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Settings for a map whose values only a codec of the caller's can write: they need not be `Serialize`. [`Codec`] has an
    /// example.
    pub fn builder_with(
        log: impl LogClient,
        keyspace: &str,
        codec: impl Codec<V>,
    ) -> Builder<K, V> {
        Builder::new(shared(log), keyspace.to_owned(), Arc::new(codec))
    }
}

/// Opening.
impl<K: Key, V: DeserializeOwned + Send + Sync + 'static> Reader<K, V> {
    /// As [`Globe::open`], to read only: the values need only be `Deserialize`.
    ///
    /// # Errors
    /// As [`Globe::open`].
    pub async fn open(log: impl LogClient, keyspace: &str) -> Result<Reader<K, V>> {
        Reader::builder(log, keyspace).open().await
    }

    /// As [`Globe::connect`], to read only.
    ///
    /// # Errors
    /// As [`Globe::connect`].
    pub async fn connect(url: &str, keyspace: &str) -> Result<Reader<K, V>> {
        Reader::open(crate::connect::connect(url).await?, keyspace).await
    }

    /// Settings for a reader of values that are JSON in the log, or whatever its codec says.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use globe::{MemoryLog, Reader};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # let log = MemoryLog::new();
    /// let limits: Reader<String, u64> = Reader::builder(log, "limits")
    ///     .deadline(Duration::from_secs(1))
    ///     .open()
    ///     .await?;
    /// # assert!(limits.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn builder(log: impl LogClient, keyspace: &str) -> Builder<K, V, dyn Decode<V>> {
        Reader::builder_with(log, keyspace, Json)
    }
}

impl<K: Key, V: Send + Sync + 'static> Reader<K, V> {
    /// Settings for a reader whose values only a codec of the caller's can read. [`Decode`] has an example.
    pub fn builder_with(
        log: impl LogClient,
        keyspace: &str,
        codec: impl Decode<V>,
    ) -> Builder<K, V, dyn Decode<V>> {
        Builder::new(shared(log), keyspace.to_owned(), Arc::new(codec))
    }
}

/// Settings of either kind.
impl<K: Key, V: Send + Sync + 'static, C: ?Sized> Builder<K, V, C> {
    fn new(log: Arc<dyn LogClient>, keyspace: String, codec: Arc<C>) -> Builder<K, V, C> {
        Builder {
            log,
            keyspace,
            codec,
            settings: MapSettings::default(),
            offline: None,
            map: std::marker::PhantomData,
        }
    }

    /// How long [`Builder::open`] waits for the first snapshot. Default 10 s: longer than a leader election.
    /// [`Builder::start`] waits for nothing, and has no use for it.
    #[must_use]
    pub fn open_timeout(mut self, bound: Duration) -> Self {
        self.settings.open_timeout = bound;
        self
    }

    /// How long a write, a `sync` or a `view_at` may take in all, with every retry. Default 10 s. One call or handle can have
    /// another: [`Globe::with_deadline`], [`Reader::with_deadline`].
    #[must_use]
    pub fn deadline(mut self, bound: Duration) -> Self {
        self.settings.deadline = bound;
        self
    }

    /// How often the log is asked whether the map is current. Default 500 ms: one small linearizable read each, whatever
    /// the size of the map; it is the only cost of a quiet one.
    #[must_use]
    pub fn probe_interval(mut self, interval: Duration) -> Self {
        self.settings.probe_interval = interval;
        self
    }

    /// From what age on a map that could not be proved current is [`Phase::Stale`](crate::Phase::Stale). Default 1.8 s:
    /// a cut-off is seen within two seconds, and three probes in a row must fail before it is claimed. Not shorter than
    /// the probe interval.
    #[must_use]
    pub fn stale_after(mut self, age: Duration) -> Self {
        self.settings.stale_after = age;
        self
    }

    /// How long a tail may deliver nothing while the log is known to be ahead, before another one is opened. Default 1 s;
    /// doubled (up to 30 s) each time the next one owes as well, so that a slow link is not cut again and again.
    #[must_use]
    pub fn tail_timeout(mut self, bound: Duration) -> Self {
        self.settings.tail_timeout = bound;
        self
    }

    /// The shortest and the longest pause between attempts to reach the log. Default 50 ms and 2 s, with jitter; the pauses
    /// double in between. The longest is not shorter than the shortest.
    #[must_use]
    pub fn retry(mut self, shortest: Duration, longest: Duration) -> Self {
        self.settings.retry_min = shortest;
        self.settings.retry_max = longest;
        self
    }

    /// Keeps a copy of the map on disk, and begins with it while the log is down: the map serves at once, its
    /// [status](crate::Status::from_copy) says so and how old that is, `Within` refuses what is older, and when the log answers the
    /// map moves on by the exact difference. A restart costs the log what has changed since, as long as it remembers that. Default
    /// none.
    ///
    /// What [`Start`](crate::offline::Start) allows is shown before the log was heard of. A copy that is damaged, foreign or of a
    /// newer version is not used, which is told to `tracing`, and costs no more than that. It costs a thread, and the disk about
    /// what is committed: see [`Offline`].
    #[must_use]
    pub fn offline(mut self, offline: Offline) -> Self {
        self.offline = Some(offline);
        self
    }

    /// Whether a step of the log that takes nearly everything away is shown at once ([`Guard::follow`], the default), or withheld
    /// until it is put right or accepted ([`Guard::hold`]). [`Guard`] says what that means, with an example.
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.settings.guard = guard;
        self
    }

    /// Makes an undecodable record fatal: the map ends as [`Phase::Failed`](crate::Phase::Failed), reads go on showing the
    /// last state before it, and everything that waits is answered with a `Codec` error. Default false: the record is
    /// quarantined, and the other keys live on.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.settings.strict = strict;
        self
    }
}

/// A map that can write.
impl<K: Key, V: Send + Sync + 'static> Builder<K, V> {
    /// How values are written in the log, instead of JSON. Every program that shares the map must use the same: what it
    /// cannot decode is quarantined. For values that are not `Serialize` begin with [`Globe::builder_with`].
    #[must_use]
    pub fn codec(mut self, codec: impl Codec<V>) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    /// Opens the map and waits until it is hydrated, at most for the open timeout.
    ///
    /// A log that refuses (credentials, certificates, what it cannot do) is asked again for two seconds, in case the refusal
    /// passes: a user that is just being created, a balancer in between. Cancel safe: dropping the call stops everything.
    ///
    /// # Errors
    /// `Invalid` for a bad keyspace or setting, or a runtime without a timer; `Unavailable` when the log could not be
    /// reached in time, with the last reason; `Denied` when it refused the credentials; `Codec` under `strict`.
    pub async fn open(self) -> Result<Globe<K, V>> {
        let bound = self.settings.open_timeout;
        let globe = self.start()?;
        hydrated(&globe, bound).await?;
        Ok(globe)
    }

    /// Opens the map and returns at once, whether the log can be reached or not: the map is empty, its status says
    /// [`Phase::Hydrating`](crate::Phase::Hydrating), and it hydrates and follows as soon as the log appears, however long
    /// that takes and whatever it says until then: [`Status::last_error`](crate::Status::last_error) shows that. Wait with
    /// [`Reader::hydrated`].
    ///
    /// # Errors
    /// `Invalid` for a bad keyspace or setting, or when called outside a tokio runtime with a timer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use std::time::Duration;
    /// use globe::{Globe, MemoryLog, Phase};
    ///
    /// let log = MemoryLog::new();
    /// log.set_available(false);
    /// let flags: Globe<String, bool> = Globe::builder(log.clone(), "flags").start()?;
    /// assert_eq!(flags.status().phase, Phase::Hydrating);
    ///
    /// // Give it a moment, and go on without it if that is too short.
    /// let moment = Duration::from_millis(50);
    /// let is_there = tokio::time::timeout(moment, flags.hydrated()).await.is_ok();
    /// assert!(!is_there);
    ///
    /// log.set_available(true);
    /// flags.hydrated().await?;
    /// # Ok(()) }
    /// ```
    pub fn start(self) -> Result<Globe<K, V>> {
        let codec = Arc::clone(&self.codec);
        let reader = self.reading().start()?;
        let writer = Writer {
            log: Arc::clone(reader.log()),
            replica: Arc::clone(reader.replica()),
            codec,
            wanted: Arc::default(),
        };
        Ok(Globe::new(reader, writer))
    }

    /// The same settings, for a reader.
    fn reading(self) -> Builder<K, V, dyn Decode<V>> {
        Builder {
            log: self.log,
            keyspace: self.keyspace,
            codec: self.codec,
            settings: self.settings,
            offline: self.offline,
            map: self.map,
        }
    }
}

/// A map that is only read.
impl<K: Key, V: Send + Sync + 'static> Builder<K, V, dyn Decode<V>> {
    /// How values are read from the log, instead of JSON.
    #[must_use]
    pub fn codec(mut self, codec: impl Decode<V>) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    /// As [`Builder::open`] of a map that can write.
    ///
    /// # Errors
    /// As there.
    pub async fn open(self) -> Result<Reader<K, V>> {
        let bound = self.settings.open_timeout;
        let reader = self.start()?;
        hydrated(&reader, bound).await?;
        Ok(reader)
    }

    /// As [`Builder::start`] of a map that can write.
    ///
    /// # Errors
    /// As there.
    pub fn start(self) -> Result<Reader<K, V>> {
        let keyspace = Keyspace::new(&self.keyspace)?;
        let settings = self.settings;
        settings.check()?;
        let runtime = runtime()?;
        // What is read of it on the way to the map is written down: where that is guarded, not before it is shown.
        let copy = match &self.offline {
            Some(offline) => Some(RecordedLog::new(Arc::clone(&self.log), &keyspace, offline)?),
            None => None,
        };
        let confirms = copy.clone().filter(|_| settings.guard.is_set());
        let confirms = confirms.map(RecordedLog::only_confirmed);
        let log = match &copy {
            Some(recorded) => Arc::new(recorded.clone()),
            None => Arc::clone(&self.log),
        };
        let replica = Arc::new(Replica::new(keyspace).guarded(settings.guard));
        let (requests, asked) = mpsc::channel(1);
        let tailer = Tailer {
            log: Arc::clone(&log),
            applier: Applier::new(Arc::clone(&replica), self.codec, settings.strict)
                .confirming(confirms),
            requests: asked,
            pauses: Pauses::new(settings.retry_min, settings.retry_max),
            in_haste: false,
            offline: self.offline,
            kept: None,
            unproved: None,
            by_snapshot: false,
        };
        let prober = Prober {
            log,
            replica: Arc::clone(&replica),
            requests,
            interval: settings.probe_interval,
            patience: Patience::new(settings.tail_timeout),
            earlier: None,
        };
        let tasks = running::start(&runtime, tailer, prober, copy);
        Ok(Reader::new(self.log, replica, settings, tasks))
    }
}

/// Waits until a map is hydrated, at most for so long.
async fn hydrated<K: Key, V: Send + Sync + 'static>(
    map: &Reader<K, V>,
    bound: Duration,
) -> Result<()> {
    let hydrated = opened(map.replica(), &**map.log(), bound).await;
    hydrated.map_err(|error| error.while_doing(format_args!("opening the map {}", map.keyspace())))
}

/// A log to share: one that is shared already is not wrapped once more.
pub(crate) fn shared(log: impl LogClient) -> Arc<dyn LogClient> {
    let shared = (&log as &dyn Any).downcast_ref::<Arc<dyn LogClient>>();
    shared.cloned().unwrap_or_else(|| Arc::new(log))
}

impl<K, V, C: ?Sized> fmt::Debug for Builder<K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("log", &self.log)
            .field("keyspace", &self.keyspace)
            .field("settings", &self.settings)
            .finish()
    }
}
