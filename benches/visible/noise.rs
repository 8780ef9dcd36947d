//! Somebody else of the same process, who puts 1,000 times a second to other keys beside those that are measured.
//!
//! He never puts in another way than what is measured, and is never measured but for how much he wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use globe_bench::{Done, NOISE, key};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, interval};

use crate::put::Put;
use crate::writer::Writer;

const PAUSE: Duration = Duration::from_millis(1);

/// How many keys he writes in turn.
const KEYS: usize = 100;

/// One who writes until he is told to stop.
pub(crate) struct Noise {
    is_over: Arc<AtomicBool>,
    writing: JoinHandle<Result<(Writer, f64), String>>,
}

impl Noise {
    pub(crate) fn start(runtime: &Runtime, mut writer: Writer, put: Put) -> Noise {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let writing = runtime.spawn(async move {
            let (begun, mut writes) = (Instant::now(), 0);
            // One that takes longer is made up for, so that there are as many in all.
            let mut tick = interval(PAUSE);
            while !told.load(Ordering::Relaxed) {
                tick.tick().await;
                let other = format!("{NOISE}{}", key(writes % KEYS));
                let written = writer.put(put, &other, writes).await;
                written.map_err(|error| error.to_string())?;
                writes += 1;
            }
            Ok((writer, writes as f64 / begun.elapsed().as_secs_f64()))
        });
        Noise { is_over, writing }
    }

    /// Who wrote, and how often in a second.
    pub(crate) fn stop(self, runtime: &Runtime) -> Done<(Writer, f64)> {
        self.is_over.store(true, Ordering::Relaxed);
        Ok(runtime.block_on(self.writing)??)
    }
}
