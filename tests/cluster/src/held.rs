//! What this process holds: tasks, descriptors and memory.
//!
//! It counts from outside, and knows of nobody who holds any of it.

use std::time::Duration;

use globe_oracle::Recorder;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// How many more tasks or descriptors may be just under way.
pub(crate) const UNDER_WAY: u64 = 30;

/// How long what is under way may take to end.
const SETTLING: Duration = Duration::from_secs(10);

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

    /// What is held once it is no more than this and what may be under way, or after 10 s whatever it is: what ends by itself
    /// is no leak.
    pub(crate) async fn settled(before: Held, under_way: u64) -> Held {
        let end = Instant::now() + SETTLING;
        loop {
            let held = Held::now();
            let is_settled = held.tasks <= before.tasks + under_way
                && held.descriptors <= before.descriptors + under_way;
            if is_settled || Instant::now() > end {
                return held;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Notes what should not become more.
    pub(crate) fn gauge(self, recorder: &Recorder, under_way: u64) {
        recorder.gauge("tasks", self.tasks, under_way);
        recorder.gauge("descriptors", self.descriptors, under_way);
    }
}
