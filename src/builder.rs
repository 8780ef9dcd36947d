//! Every setting of a map: its default, its unit, and why it is so.
//!
//! Settings are data: none of them changes what is correct, only how long something may take.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Keyspace, LogClient, Result};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::applier::Applier;
use crate::backoff::{Backoff, Patience};
use crate::codec::Codec;
use crate::globe::{Globe, Tasks};
use crate::key::Key;
use crate::outage::Outage;
use crate::prober::Prober;
use crate::replica::Replica;
use crate::tailer::Tailer;
use crate::writer::Writer;

/// Settings of a map that is about to be opened. Made by [`Globe::builder`].
pub struct Builder<K, V> {
    log: Arc<dyn LogClient>,
    keyspace: String,
    codec: Arc<dyn Codec<V>>,
    settings: Settings,
    key: std::marker::PhantomData<fn() -> K>,
}

/// The settings themselves.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) open_timeout: Duration,
    pub(crate) deadline: Duration,
    pub(crate) probe_interval: Duration,
    pub(crate) stale_after: Duration,
    pub(crate) tail_timeout: Duration,
    pub(crate) retry_min: Duration,
    pub(crate) retry_max: Duration,
    pub(crate) strict: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            open_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(10),
            probe_interval: Duration::from_millis(500),
            stale_after: Duration::from_millis(1_800),
            tail_timeout: Duration::from_secs(1),
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(2),
            strict: false,
        }
    }
}

/// No time setting may be longer: a longer one is a mistake in its unit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

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
    /// # Errors
    /// `Invalid` for a bad keyspace or setting; `Unavailable` when the log could not be reached in time; `Denied` when it
    /// refused the credentials; `Codec` under `strict`.
    pub async fn open(self) -> Result<Globe<K, V>> {
        let bound = self.settings.open_timeout;
        let globe = self.start()?;
        match tokio::time::timeout(bound, globe.hydrated()).await {
            Ok(Ok(())) => Ok(globe),
            Ok(Err(error)) => {
                Err(error.while_doing(format_args!("opening the map {}", globe.keyspace())))
            }
            Err(_) => {
                let why = format!(
                    "the map {} was not hydrated within {bound:?}",
                    globe.keyspace()
                );
                let error = Error::new(ErrorKind::Unavailable, why);
                Err(match globe.status().last_error {
                    Some(last) => error.with_source(last),
                    None => error,
                })
            }
        }
    }

    /// Opens the map and returns at once, whether the log can be reached or not: the map is empty, its status says
    /// [`Phase::Hydrating`](crate::Phase::Hydrating), and it hydrates and follows as soon as the log appears. Wait with
    /// [`Globe::hydrated`].
    ///
    /// # Errors
    /// `Invalid` for a bad keyspace or setting, or when called outside a tokio runtime.
    pub fn start(self) -> Result<Globe<K, V>> {
        let keyspace = Keyspace::new(&self.keyspace)?;
        let settings = self.settings;
        settings.check()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::Invalid, "a map needs a tokio runtime").with_source(error)
        })?;
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
            outage: Outage::new(keyspace.clone()),
        };
        let prober = Prober {
            log: Arc::clone(&self.log),
            replica: Arc::clone(&replica),
            requests,
            interval: settings.probe_interval,
            patience: Patience::new(settings.tail_timeout),
        };
        let span = tracing::info_span!("globe", %keyspace);
        let stop = CancellationToken::new();
        let running = runtime
            .spawn(follow(Arc::clone(&replica), tailer, prober, stop.clone()).instrument(span));
        let writer = Writer {
            log: self.log,
            replica,
            codec: self.codec,
            deadline: settings.deadline,
        };
        Ok(Globe::new(writer, settings, Tasks::new(stop, running)))
    }
}

/// Runs both tasks of a map until it is closed or dropped, or until its tailer gives up.
async fn follow<K: Key, V: Send + Sync + 'static>(
    replica: Arc<Replica<K, V>>,
    tailer: Tailer<K, V>,
    prober: Prober<K, V>,
    stop: CancellationToken,
) {
    tokio::select! {
        () = stop.cancelled() => {}
        ((), ()) = async { tokio::join!(tailer.run(), prober.run()) } => {}
    }
    replica.end(Error::new(
        ErrorKind::Closed,
        format!("the map {} was closed", replica.keyspace()),
    ));
}

impl Settings {
    fn check(&self) -> Result<()> {
        let times = [
            ("open_timeout", self.open_timeout),
            ("deadline", self.deadline),
            ("probe_interval", self.probe_interval),
            ("stale_after", self.stale_after),
            ("tail_timeout", self.tail_timeout),
            ("the shortest retry", self.retry_min),
            ("the longest retry", self.retry_max),
        ];
        let refuse = |why: String| Err(Error::new(ErrorKind::Invalid, why));
        for (name, time) in times {
            if time.is_zero() {
                return refuse(format!("{name} is zero: it needs some time"));
            }
            if time > LONGEST {
                return refuse(format!(
                    "{name} is {time:?}: at most {LONGEST:?} is allowed"
                ));
            }
        }
        if self.stale_after < self.probe_interval {
            return refuse(format!(
                "stale_after ({:?}) is shorter than the probe_interval ({:?}): the map would always be stale",
                self.stale_after, self.probe_interval
            ));
        }
        if self.retry_max < self.retry_min {
            return refuse(format!(
                "the longest retry ({:?}) is shorter than the shortest ({:?})",
                self.retry_max, self.retry_min
            ));
        }
        Ok(())
    }
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
