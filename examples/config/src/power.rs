//! Who takes the log away, and brings it back.
//!
//! Never stops a server by itself: it asks.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use globe::{LogClient, MemoryLog};
use globe_stage::Outcome;
use tokio::time::timeout;

use crate::service::Service;

const SECOND: Duration = Duration::from_secs(1);

/// The log, and who has it in his hands.
#[derive(Debug)]
pub(crate) enum Power {
    /// A log in this process, which can be switched off.
    Switch(MemoryLog),
    /// A server, which a person is asked to stop; in the tests of this package, a test.
    Person(Arc<dyn LogClient>),
}

impl Power {
    /// Over the log of `GLOBE_LOG`.
    pub(crate) async fn over_the_log() -> Outcome<Power> {
        match env::var("GLOBE_LOG") {
            Ok(url) if !url.starts_with("memory:") => {
                Ok(Power::Person(globe::connect(&url).await?))
            }
            _ => Ok(Power::Switch(MemoryLog::new())),
        }
    }

    pub(crate) fn log(&self) -> Arc<dyn LogClient> {
        match self {
            Power::Switch(log) => Arc::new(log.clone()),
            Power::Person(log) => Arc::clone(log),
        }
    }

    /// Off before anything began, where that is in our hands: a server is there or not.
    pub(crate) fn off_at_start(&self) {
        if let Power::Switch(log) = self {
            log.set_available(false);
        }
    }

    /// Whether it is away at start.
    pub(crate) async fn is_away(&self, service: &Service) -> bool {
        timeout(SECOND, service.settings.hydrated()).await.is_err()
    }

    pub(crate) fn off(&self) {
        match self {
            Power::Switch(log) => log.set_available(false),
            Power::Person(_) => println!("   >> stop etcd now (kill it, if you like)"),
        }
    }

    pub(crate) fn on(&self) {
        match self {
            Power::Switch(log) => log.set_available(true),
            Power::Person(_) => println!("   >> start etcd again, with the same data"),
        }
    }
}
