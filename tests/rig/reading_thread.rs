//! A thread that looks again and again, while the test does something else.
//!
//! Never ends before it has looked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

pub(crate) struct ReadingThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl ReadingThread {
    /// Begins to look; each look is told its number.
    pub(crate) fn begin(mut look: impl FnMut(usize) + Send + 'static) -> ReadingThread {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut looks = 0;
            while !stopped.load(Ordering::Acquire) || looks == 0 {
                look(looks);
                looks += 1;
            }
            looks
        });
        ReadingThread { stop, thread }
    }

    /// How often it has looked. Fails if one of the looks has.
    pub(crate) fn stop(self) -> usize {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}
