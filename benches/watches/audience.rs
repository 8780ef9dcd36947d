//! Many who listen, each in a task of its own: how long it takes from a write until each of them has heard of it.
//!
//! It never writes while one of them has not heard of the write before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use globe::Watch;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Whoever can be told something.
pub(crate) trait Listener: Send + 'static {
    /// Waits until it has been; false when it will not be any more.
    fn heard(&mut self) -> impl Future<Output = bool> + Send;
}

impl Listener for Watch<String, u64> {
    async fn heard(&mut self) -> bool {
        self.next().await.is_some()
    }
}

impl Listener for broadcast::Receiver<u64> {
    async fn heard(&mut self) -> bool {
        self.recv().await.is_ok()
    }
}

/// All of them. They stop listening when it is dropped.
pub(crate) struct Audience {
    course: Arc<Course>,
    /// Kept for its tasks.
    _listening: JoinSet<()>,
}

/// How far a write has come.
struct Course {
    made: Instant,
    /// When the write began, in nanoseconds since this was made.
    begun: AtomicU64,
    /// How many have not heard of it, and how long each of the others had to wait.
    left: AtomicUsize,
    waited: Vec<AtomicU64>,
    all_have_heard: Notify,
}

impl Audience {
    pub(crate) fn of<L: Listener>(listeners: Vec<L>) -> Audience {
        let course = Arc::new(Course {
            made: Instant::now(),
            begun: AtomicU64::new(0),
            left: AtomicUsize::new(0),
            waited: listeners.iter().map(|_| AtomicU64::new(0)).collect(),
            all_have_heard: Notify::new(),
        });
        let mut listening = JoinSet::new();
        for (place, mut listener) in listeners.into_iter().enumerate() {
            let course = Arc::clone(&course);
            listening.spawn(async move {
                while listener.heard().await {
                    course.heard(place);
                }
            });
        }
        Audience {
            course,
            _listening: listening,
        }
    }

    /// Writes, and waits until all have heard of it: how long each had to wait, in nanoseconds.
    pub(crate) async fn hear<T>(&self, write: impl Future<Output = T>) -> (T, Vec<f64>) {
        let course = &self.course;
        course.left.store(course.waited.len(), Ordering::Release);
        course.begun.store(course.now(), Ordering::Release);
        let written = write.await;
        course.all_have_heard.notified().await;
        let waited = course.waited.iter();
        let waited = waited.map(|time| time.load(Ordering::Acquire) as f64);
        (written, waited.collect())
    }
}

impl Course {
    fn now(&self) -> u64 {
        self.made.elapsed().as_nanos() as u64
    }

    fn heard(&self, place: usize) {
        let waited = self.now() - self.begun.load(Ordering::Acquire);
        self.waited[place].store(waited, Ordering::Release);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all_have_heard.notify_one();
        }
    }
}
