//! How much is logged: what a subscriber does with it follows a live setting.
//!
//! Never changes where the lines go.

use globe::settings::{Binding, Setting};
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

/// How much is logged. What is no level cannot be read, so it needs no check.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> LevelFilter {
        match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        }
    }
}

/// What the log of this process can be told.
#[derive(Clone, Debug)]
pub(crate) struct Levels {
    filter: Handle<LevelFilter, Registry>,
}

impl Levels {
    /// Logs to stderr from now on.
    pub(crate) fn install() -> Levels {
        let (layer, filter) = reload::Layer::new(LevelFilter::WARN);
        let lines = fmt::layer().with_writer(std::io::stderr).compact();
        tracing_subscriber::registry()
            .with(layer)
            .with(lines)
            .init();
        Levels { filter }
    }

    /// Applies the setting: now, and whenever it has changed, for as long as the binding is kept.
    pub(crate) fn follow(&self, level: &Setting<Level>) -> Binding {
        let filter = self.filter.clone();
        level.bind(
            |level| *level,
            move |level| filter.reload(LevelFilter::from(*level)),
        )
    }

    /// Whether this is logged at this moment.
    pub(crate) fn is(&self, level: Level) -> bool {
        self.filter.clone_current() == Some(level.into())
    }
}
