//! Hears everything that is traced on this thread.
//!
//! Never filters: what a level or a target would hide is heard as well.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

/// What was traced since [`listen`].
#[derive(Clone, Default)]
pub(crate) struct Ear {
    heard: Arc<Mutex<Vec<(Level, String)>>>,
}

/// Listens on this thread until the guard is dropped.
pub(crate) fn listen() -> (Ear, DefaultGuard) {
    let ear = Ear::default();
    let guard = tracing::subscriber::set_default(ear.clone());
    (ear, guard)
}

impl Ear {
    /// Everything that was said at a level.
    pub(crate) fn at(&self, level: Level) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let lines = heard.iter().filter(|(its, _)| *its == level);
        lines.map(|(_, line)| line.clone()).collect()
    }

    /// Everything that was said.
    pub(crate) fn all(&self) -> String {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .fold(String::new(), |all, (_, line)| all + line + "\n")
    }

    fn hear(&self, level: Level, line: String) {
        self.heard.lock().unwrap().push((level, line));
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Subscriber for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(format!("span {} ", span.metadata().name()));
        span.record(&mut line);
        self.hear(*span.metadata().level(), line.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.hear(*event.metadata().level(), line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
