//! Writes the history of a run while it runs.
//!
//! It never waits, and never looks at what it is told.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::history::{At, Effect, Event, Fault, Gauge, History, Read, Sample};

/// Records what happens; clones write one history. Cheap to clone, may be used from any thread.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    ticks: AtomicU64,
    numbers: AtomicU64,
    events: Mutex<Vec<Event>>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::new()
    }
}

impl Recorder {
    /// A recorder of an empty history, which begins now.
    #[must_use]
    pub fn new() -> Recorder {
        Recorder {
            shared: Arc::new(Shared {
                began: Instant::now(),
                ticks: AtomicU64::new(0),
                numbers: AtomicU64::new(0),
                events: Mutex::default(),
            }),
        }
    }

    /// This moment. Each call gives a later one.
    #[must_use]
    pub fn now(&self) -> At {
        let micros = self.shared.began.elapsed().as_micros();
        At {
            tick: self.shared.ticks.fetch_add(1, Ordering::SeqCst),
            micros: u64::try_from(micros).unwrap_or(u64::MAX),
        }
    }

    /// A number nobody else was given: for clients, readers and watches.
    #[must_use]
    pub fn number(&self) -> u32 {
        let number = self.shared.numbers.fetch_add(1, Ordering::Relaxed);
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// Adds an event.
    pub fn record(&self, event: Event) {
        self.events().push(event);
    }

    /// Notes what a reader saw of a keyspace on a node, and between which moments.
    pub(crate) fn sample(
        &self,
        (reader, node): (u32, u32),
        keyspace: impl fmt::Display,
        (call, ret): (At, At),
        read: Read,
    ) {
        self.record(Event::Sample(Sample {
            reader,
            node,
            keyspace: keyspace.to_string(),
            call,
            ret,
            read,
        }));
    }

    /// Notes that something was broken or mended, now.
    pub fn fault(&self, what: impl Into<String>, effect: Effect) {
        let fault = Fault {
            what: what.into(),
            effect,
            at: self.now(),
        };
        self.record(Event::Fault(fault));
    }

    /// Notes a count, now; growth beyond `tolerance` over the first one of its name is a leak.
    pub fn gauge(&self, what: impl Into<String>, value: u64, tolerance: u64) {
        let gauge = Gauge {
            what: what.into(),
            value,
            tolerance,
            at: self.now(),
        };
        self.record(Event::Gauge(gauge));
    }

    /// What was recorded so far.
    #[must_use]
    pub fn history(&self) -> History {
        let events = self.events().clone();
        History { events }
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        let events = self.shared.events.lock();
        events.unwrap_or_else(PoisonError::into_inner)
    }
}
