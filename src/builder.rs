//! Opening a map: every setting with its default, its unit, and why it is so; then its parts are put together.
//!
//! Nothing here runs once the map is open.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use globe_log_client::{Error, ErrorKind, Keyspace, LogClient, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::entry::codec::{Codec, Json};
use crate::entry::key::Key;
use crate::follow::applier::Applier;
use crate::follow::outage::Outage;
use crate::follow::prober::Prober;
use crate::follow::tailer::Tailer;
use crate::globe::{Globe, closed};
use crate::ground::backoff::{Backoff, Patience};
use crate::ground::tasks::Tasks;
use crate::replica::Replica;
use crate::replica::health::Health;
use crate::settings::Settings;
use crate::write::writer::Writer;

/// Settings of a map that is about to be opened. Made by [`Globe::builder`].
pub struct Builder<K, V> {
    log: Arc<dyn LogClient>,
    keyspace: String,
    codec: Arc<dyn Codec<V>>,
    settings: Settings,
    key: std::marker::PhantomData<fn() -> K>,
}

/// Opening.
impl<K: Key, V: Serialize + DeserializeOwned + Send + Sync + 'static> Globe<K, V> {
    /// Opens the map that lives in a keyspace of a log, with the default settings, and waits until it is hydrated. Values
    /// are JSON in the log.
    ///
    /// To share the connections of one log, pass a clone of it, or an `Arc<dyn LogClient>`, to each map.
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
    /// Settings for a map whose values only a codec of the caller's can write: they need not be `Serialize`.
    pub fn builder_with(
        log: impl LogClient,
        keyspace: &str,
        codec: impl Codec<V>,
    ) -> Builder<K, V> {
        Builder::new(Arc::new(log), keyspace.to_owned(), Arc::new(codec))
    }
}

impl<K: Key, V: Send + Sync + 'static> Builder<K, V> {
    pub(crate) fn new(
        log: Arc<dyn LogClient>,
        keyspace: String,
        codec: Arc<dyn Codec<V>>,
    ) -> Builder<K, V> {
        Builder {
            log,
            keyspace,
            codec,
            settings: Settings::default(),
            key: std::marker::PhantomData,
        }
    }

    /// How values are written in the log, instead of JSON. Every program that shares the map must use the same.
    #[must_use]
    pub fn codec(mut self, codec: impl Codec<V>) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    /// How long [`Builder::open`] waits for the first snapshot. Default 10 s: longer than a leader election.
    #[must_use]
    pub fn open_timeout(mut self, bound: Duration) -> Self {
        self.settings.open_timeout = bound;
        self
    }

    /// How long a write, a `sync` or a `view_at` may take in all, with every retry. Default 10 s.
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

    /// The shortest and the longest pause between attempts to reach the log. Default 50 ms and 2 s, with jitter.
    #[must_use]
    pub fn retry(mut self, shortest: Duration, longest: Duration) -> Self {
        self.settings.retry_min = shortest;
        self.settings.retry_max = longest;
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

    /// Opens the map and waits until it is hydrated, at most for the open timeout.
    ///
    /// A log that refuses (credentials, certificates, what it cannot do) is asked again for two seconds, in case the refusal
    /// passes: a user that is just being created, a balancer in between. Dropping the call stops everything.
    ///
    /// # Errors
    /// `Invalid` for a bad keyspace or setting, or a runtime without a timer; `Unavailable` when the log could not be
    /// reached in time, with the last reason; `Denied` when it refused the credentials; `Codec` under `strict`.
    pub async fn open(self) -> Result<Globe<K, V>> {
        let bound = self.settings.open_timeout;
        let globe = self.start()?;
        let opening = format!("opening the map {}", globe.keyspace());
        let hydrated = async {
            tokio::select! {
                hydrated = globe.hydrated() => hydrated,
                refusal = refusal(globe.replica().health()) => Err(refusal),
            }
        };
        match timeout(bound, hydrated).await {
            Ok(Ok(())) => Ok(globe),
            Ok(Err(error)) => Err(error.while_doing(opening)),
            Err(_) => Err(not_in_time(bound, globe.status().last_error).while_doing(opening)),
        }
    }

    /// Opens the map and returns at once, whether the log can be reached or not: the map is empty, its status says
    /// [`Phase::Hydrating`](crate::Phase::Hydrating), and it hydrates and follows as soon as the log appears, however long
    /// that takes and whatever it says until then: [`Status::last_error`](crate::Status::last_error) shows that. Wait with
    /// [`Globe::hydrated`].
    ///
    /// # Errors
    /// `Invalid` for a bad keyspace or setting, or when called outside a tokio runtime with a timer.
    pub fn start(self) -> Result<Globe<K, V>> {
        let keyspace = Keyspace::new(&self.keyspace)?;
        let settings = self.settings;
        settings.check()?;
        let runtime = runtime()?;
        let replica = Arc::new(Replica::new(keyspace.clone()));
        let (requests, asked) = mpsc::channel(1);
        let tailer = Tailer {
            log: Arc::clone(&self.log),
            applier: Applier::new(
                Arc::clone(&replica),
                Arc::clone(&self.codec),
                settings.strict,
            ),
            requests: asked,
            backoff: Backoff::new(settings.retry_min, settings.retry_max),
            resyncs: Backoff::new(settings.retry_min, settings.retry_max),
            outage: Outage::new(keyspace.clone()),
            in_haste: false,
        };
        let prober = Prober {
            log: Arc::clone(&self.log),
            replica: Arc::clone(&replica),
            requests,
            interval: settings.probe_interval,
            patience: Patience::new(settings.tail_timeout),
            earlier: None,
        };
        let span = tracing::info_span!("globe", %keyspace);
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let ending = Ending {
            replica: Arc::clone(&replica),
            has_panicked: false,
            _stopped: stopped.clone().drop_guard(),
        };
        runtime.spawn(follow(tailer, prober, stop.clone(), ending).instrument(span));
        let writer = Writer {
            log: self.log,
            replica,
            codec: self.codec,
        };
        Ok(Globe::new(writer, settings, Tasks::new(stop, stopped)))
    }
}

/// Runs both tasks of a map until it is closed or dropped, or until its tailer gives up.
async fn follow<K: Key, V: Send + Sync + 'static>(
    tailer: Tailer<K, V>,
    prober: Prober<K, V>,
    stop: CancellationToken,
    mut ending: Ending<K, V>,
) {
    let work = async { tokio::join!(tailer.run(), prober.run()) };
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    let has_panicked = tokio::select! {
        biased;
        () = stop.cancelled() => false,
        ended = &mut work => ended.is_err(),
    };
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(work)));
    ending.has_panicked = has_panicked || dropped.is_err();
}

/// Tells those who wait that nothing more will come, however the tasks ended: stopped, dropped with their runtime, or by a
/// panic in a key or value of the user's.
struct Ending<K: Key, V> {
    replica: Arc<Replica<K, V>>,
    has_panicked: bool,
    _stopped: DropGuard,
}

impl<K: Key, V> Drop for Ending<K, V> {
    fn drop(&mut self) {
        let keyspace = self.replica.keyspace();
        // Not whether the thread panics: a runtime is dropped as well by a panic that is nothing to the map.
        if !self.has_panicked {
            return self.replica.end(closed(keyspace));
        }
        let why = format!(
            "code of a key or value of the map {keyspace} panicked where the map called it"
        );
        let error = Error::new(ErrorKind::Panicked, why);
        tracing::error!(%keyspace, %error, "the map ends: this needs a person");
        self.replica.health().failed(&error);
        self.replica.end(error);
    }
}

/// How long a log is asked again that refuses what only a person can mend, before an `open` reports it.
const REFUSED: Duration = Duration::from_secs(2);

/// The refusal of a log, when it has stood for a while.
async fn refusal(health: &Health) -> Error {
    loop {
        if let Some(refusal) = health.refusal(REFUSED) {
            return refusal;
        }
        tokio::time::sleep(REFUSED / 40).await;
    }
}

/// What an open says that was not hydrated in time: its kind is that of the last failure, which it names.
fn not_in_time(bound: Duration, last: Option<Error>) -> Error {
    let why = format!("it was not hydrated within {bound:?}");
    match last {
        None => Error::new(ErrorKind::Unavailable, why),
        Some(last) => {
            let is_refusal = matches!(last.kind(), ErrorKind::Denied | ErrorKind::Unsupported);
            let kind = if is_refusal {
                last.kind().clone()
            } else {
                ErrorKind::Unavailable
            };
            Error::new(kind, format!("{why}: {last}")).with_source(last)
        }
    }
}

/// The runtime a map is opened in.
fn runtime() -> Result<tokio::runtime::Handle> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|error| {
        Error::new(ErrorKind::Invalid, "a map needs a tokio runtime").with_source(error)
    })?;
    // Tokio says only by a panic that a runtime was built without a timer.
    if catch_unwind(|| tokio::time::sleep(Duration::ZERO)).is_err() {
        let why =
            "a map needs a tokio runtime with a timer: build it with `enable_all` or `enable_time`";
        return Err(Error::new(ErrorKind::Invalid, why));
    }
    Ok(runtime)
}

impl<K, V> fmt::Debug for Builder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("log", &self.log)
            .field("keyspace", &self.keyspace)
            .field("settings", &self.settings)
            .finish()
    }
}
