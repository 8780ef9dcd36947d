//! What this process holds: tasks, descriptors and memory.
//!
//! It counts from outside, and knows of nobody who holds any of it.

use globe_oracle::Recorder;
use tokio::runtime::Handle;

/// How many more tasks or descriptors may be just under way.
pub(crate) const UNDER_WAY: u64 = 30;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) tasks: u64,
    pub(crate) descriptors: u64,
    pub(crate) megabytes: f64,
}

impl Held {
    pub(crate) fn now() -> Held {
        let descriptors = std::fs::read_dir("/proc/self/fd").expect("/proc").count();
        let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc");
        let resident = pages
            .split_whitespace()
            .nth(1)
            .and_then(|pages| pages.parse().ok());
        Held {
            tasks: Handle::current().metrics().num_alive_tasks() as u64,
            descriptors: descriptors as u64,
            megabytes: resident.unwrap_or(0.0) * 4096.0 / 1_048_576.0,
        }
    }
    /// Notes what is held now that should not become more.
    pub(crate) fn gauge(recorder: &Recorder) {
        let held = Held::now();
        recorder.gauge("tasks", held.tasks, UNDER_WAY);
        recorder.gauge("descriptors", held.descriptors, UNDER_WAY);
    }
}
