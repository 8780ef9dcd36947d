//! One instance of the service: its settings, and what follows them.
//!
//! Never waits for the log: it starts from the copy on disk, else from the defaults, and its settings move when the log is there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use globe::settings::{Scope, Setting};
use globe::{LogClient, Offline, Settings};
use tokio::time::Instant;

use crate::knob::Knob;
use crate::level::Level;
use crate::limit::{self, Limit, Limiter};

/// How long it waits for its settings before it would rather serve by the defaults than not at all.
const PATIENCE: Duration = Duration::from_secs(3);

/// One instance.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) settings: Settings,
    pub(crate) limit: Setting<Limit>,
    pub(crate) level: Setting<Level>,
    pub(crate) limiter: Limiter,
    started: Instant,
}

impl Service {
    pub(crate) fn start(
        log: Arc<dyn LogClient>,
        keyspace: &str,
        instance: &str,
        copies: &Path,
    ) -> globe::Result<Service> {
        // Layers of a cluster of yours: the region, the zone, whatever values differ by.
        let scope = Scope::new(instance).layer("region", "eu");
        let settings = Settings::builder(log, keyspace, scope)
            // What it begins with while the log is away; the instances of a host share it.
            .offline(Offline::in_folder(copies))
            // Who publishes waits for the answer.
            .deadline(Duration::from_secs(2))
            .start()?;
        let limit = settings.declare("http.limit", limit::DEFAULT);
        Ok(Service {
            limit: limit.check(limit::check).open()?,
            level: settings.declare("log.level", Level::Warn).open()?,
            limiter: Limiter::new(),
            started: Instant::now(),
            settings,
        })
    }

    /// All that can be set, whatever its type.
    pub(crate) fn knobs(&self) -> [&dyn Knob; 2] {
        [&self.limit, &self.level]
    }

    /// Whether it is to be given requests: when its settings are known, or could not be had for a while.
    pub(crate) fn is_ready(&self) -> bool {
        self.settings.status().position.is_some() || self.started.elapsed() > PATIENCE
    }
}
