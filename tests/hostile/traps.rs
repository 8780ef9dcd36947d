//! Traps: keys and values that do something else than they should, once they are armed.
//!
//! Never decides what is right: a trap only springs, and a gate only holds who passes it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{self, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use globe::{
    CodecError, Decode, Encode, ErrorKind, Globe, Key, LogClient, MemoryLog, Phase, Watch,
};
use tokio::runtime::Builder;

use crate::rig::{fails_with, numbers, until, within, write_raw};

/// Longer than anything takes that is not stuck; only a test that fails waits for it.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// What a trap does when it springs.
pub(crate) type Act = Arc<dyn Fn() + Send + Sync>;

pub(crate) fn act(act: impl Fn() + Send + Sync + 'static) -> Act {
    Arc::new(act)
}

/// Panics the first time only: a second panic on the way out of the first would end the process, which is Rust's to say.
pub(crate) fn panics_once() -> Act {
    let times = AtomicUsize::new(0);
    act(move || {
        let is_first = times.fetch_add(1, atomic::Ordering::SeqCst) == 0;
        assert!(!is_first, "a trap springs");
    })
}

/// Where a trap lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum On {
    Hash,
    Eq,
    Ord,
    Clone,
    Drop,
    Encode,
    Decode,
}

/// By the text of the key: a key is made from its text by the map, and can bring nothing else along. Tests use texts of their
/// own, so that they do not meet here.
static TRAPS: Mutex<BTreeMap<(String, On), Act>> = Mutex::new(BTreeMap::new());

pub(crate) fn arm(text: &str, on: On, act: Act) {
    TRAPS.lock().unwrap().insert((text.to_owned(), on), act);
}

pub(crate) fn disarm(text: &str, on: On) {
    TRAPS.lock().unwrap().remove(&(text.to_owned(), on));
}

fn spring(text: &str, on: On) {
    let found = TRAPS.lock().unwrap().get(&(text.to_owned(), on)).cloned();
    if let Some(act) = found {
        act();
    }
}

/// A key with traps.
#[derive(Debug)]
pub(crate) struct Trapped(pub(crate) String);

pub(crate) fn trapped(text: &str) -> Trapped {
    Trapped(text.to_owned())
}

impl Hash for Trapped {
    fn hash<H: Hasher>(&self, state: &mut H) {
        spring(&self.0, On::Hash);
        self.0.hash(state);
    }
}

impl PartialEq for Trapped {
    fn eq(&self, other: &Trapped) -> bool {
        spring(&self.0, On::Eq);
        spring(&other.0, On::Eq);
        self.0 == other.0
    }
}

impl Eq for Trapped {}

impl PartialOrd for Trapped {
    fn partial_cmp(&self, other: &Trapped) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Trapped {
    fn cmp(&self, other: &Trapped) -> Ordering {
        spring(&self.0, On::Ord);
        spring(&other.0, On::Ord);
        self.0.cmp(&other.0)
    }
}

impl Clone for Trapped {
    fn clone(&self) -> Trapped {
        spring(&self.0, On::Clone);
        Trapped(self.0.clone())
    }
}

impl Drop for Trapped {
    fn drop(&mut self) {
        spring(&self.0, On::Drop);
    }
}

impl Key for Trapped {
    fn encode(&self) -> globe::Result<String> {
        spring(&self.0, On::Encode);
        Ok(self.0.clone())
    }

    fn decode(text: &str) -> globe::Result<Trapped> {
        spring(text, On::Decode);
        Ok(Trapped(text.to_owned()))
    }
}

/// A value with a trap in its `Drop`.
pub(crate) struct Fused {
    pub(crate) number: u64,
    fuse: Option<Act>,
}

impl Fused {
    pub(crate) fn new(number: u64) -> Fused {
        Fused { number, fuse: None }
    }
}

impl Drop for Fused {
    fn drop(&mut self) {
        if let Some(fuse) = self.fuse.take() {
            fuse();
        }
    }
}

/// Writes numbers as JSON does, and gives those it reads the fuses that were laid for them.
#[derive(Clone, Default)]
pub(crate) struct Fuses {
    laid: Arc<Mutex<BTreeMap<u64, Act>>>,
    given: Arc<AtomicUsize>,
}

impl Fuses {
    pub(crate) fn lay(&self, number: u64, act: Act) {
        self.laid.lock().unwrap().insert(number, act);
    }

    /// How many were given to a value that was read.
    pub(crate) fn were_given(&self) -> usize {
        self.given.load(atomic::Ordering::SeqCst)
    }
}

impl Encode<Fused> for Fuses {
    fn encode(&self, value: &Fused) -> Result<Vec<u8>, CodecError> {
        Ok(value.number.to_string().into_bytes())
    }
}

impl Decode<Fused> for Fuses {
    fn decode(&self, bytes: &[u8]) -> Result<Fused, CodecError> {
        let number = std::str::from_utf8(bytes)?.parse()?;
        let fuse = self.laid.lock().unwrap().get(&number).cloned();
        self.given
            .fetch_add(usize::from(fuse.is_some()), atomic::Ordering::SeqCst);
        Ok(Fused { number, fuse })
    }
}

/// Holds who passes, from when it is shut until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Standing>, Condvar)>);

#[derive(Default)]
struct Standing {
    is_shut: bool,
    waiting: usize,
}

impl Gate {
    pub(crate) fn shut() -> Gate {
        let gate = Gate::default();
        gate.0.0.lock().unwrap().is_shut = true;
        gate
    }

    /// Gives up after a long while, so that a test that fails ends.
    pub(crate) fn pass(&self) {
        let mut standing = self.0.0.lock().unwrap();
        standing.waiting += 1;
        let is_shut = |standing: &mut Standing| standing.is_shut;
        let passed = self.0.1.wait_timeout_while(standing, BOUND, is_shut);
        passed.unwrap().0.waiting -= 1;
    }

    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().is_shut = false;
        self.0.1.notify_all();
    }

    pub(crate) fn holds(&self) -> bool {
        self.0.0.lock().unwrap().waiting > 0
    }
}

/// Lives through a test on a runtime of one thread, and on one of several.
pub(crate) fn on_every_runtime<F: Future<Output = ()>>(
    test: impl Fn() -> F + Copy + Send + 'static,
) {
    live_through(Builder::new_current_thread(), test);
    on_threads(test);
}

/// Lives through a test that blocks a thread, on a runtime that has others.
pub(crate) fn on_threads<F: Future<Output = ()>>(test: impl Fn() -> F + Send + 'static) {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2);
    live_through(builder, test);
}

/// On a thread of its own: one that deadlocks comes to no bound that is waited for on it.
fn live_through<F>(mut builder: Builder, test: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = ()>,
{
    let runtime = builder.enable_all().build().unwrap();
    let (tell, told) = mpsc::channel();
    let living = thread::spawn(move || {
        let lived = catch_unwind(AssertUnwindSafe(|| runtime.block_on(test())));
        runtime.shutdown_background();
        tell.send(lived).unwrap();
    });
    match told.recv_timeout(3 * BOUND) {
        Ok(Ok(())) => living.join().unwrap(),
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => panic!("it deadlocks"),
    }
}

/// Whether a call panics: that is then the caller's own panic.
pub(crate) fn panics<T>(call: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_err()
}

/// A well-behaved map of numbers beside a hostile one, on the same keyspace.
pub(crate) struct Neighbour {
    map: Globe<String, u64>,
    watch: Watch<String, u64>,
    rounds: u64,
}

impl Neighbour {
    pub(crate) async fn move_in(log: &(impl LogClient + Clone)) -> Neighbour {
        let map = numbers(log).await;
        let (watch, rounds) = (map.watch_key("neighbour"), 0);
        Neighbour { map, watch, rounds }
    }

    pub(crate) fn map(&self) -> &Globe<String, u64> {
        &self.map
    }

    /// It writes, reads and hears as if nobody else were there.
    pub(crate) async fn goes_on(&mut self) {
        self.rounds += 1;
        let put = self.map.put("neighbour", self.rounds);
        within("the neighbour writes", put).await.unwrap();
        let heard = within("the neighbour hears", self.watch.next()).await;
        let heard = heard.expect("it is open");
        let newest = heard.as_slice()[0].new_value().map(|value| **value);
        assert_eq!(newest, Some(self.rounds));
        let shown = self.map.get("neighbour").map(|value| *value);
        assert_eq!(shown, Some(self.rounds));
        until("it is live", || self.map.status().phase == Phase::Live).await;
    }
}

/// The map is live, or is so again: while a panic writes its trace the map of the same thread hears nothing, and says so.
pub(crate) async fn lives_on<K: Key, V: Send + Sync + 'static>(map: &Globe<K, V>) {
    until("it lives on", || map.status().phase == Phase::Live).await;
}

/// The map has ended because code of the caller's panicked in it, and says so wherever it is asked.
pub(crate) async fn has_failed<K: Key, V: Send + Sync + 'static>(
    map: &Globe<K, V>,
    watch: &mut Watch<K, V>,
) {
    let has_ended = |phase| matches!(phase, Phase::Failed | Phase::Closed);
    until("it has ended", || has_ended(map.status().phase)).await;
    assert_eq!(map.status().phase, Phase::Failed);
    let error = map.status().last_error.expect("it says why");
    assert_eq!(*error.kind(), ErrorKind::Panicked, "{error}");
    while within("the watch ends", watch.next()).await.is_some() {}
    let error = watch.ended().expect("it says why");
    assert_eq!(*error.kind(), ErrorKind::Panicked, "{error}");
    let error = within("a wait ends", map.wait_for(|_| false)).await;
    fails_with(error, ErrorKind::Panicked);
    fails_with(within("a wait ends", map.sync()).await, ErrorKind::Panicked);
    within("closing what has ended", map.close()).await;
    assert_eq!(map.status().phase, Phase::Failed, "and it stays so");
}

/// A log with a few numbers in it, and a map of them.
pub(crate) async fn some_map() -> (MemoryLog, Globe<String, u64>) {
    let log = some_numbers().await;
    let map = numbers(&log).await;
    (log, map)
}

/// A log of numbers, with a few in it.
pub(crate) async fn some_numbers() -> MemoryLog {
    let log = MemoryLog::new();
    for (key, value) in [("good", b"1"), ("other", b"2")] {
        write_raw(&log, "numbers", key, value).await;
    }
    log
}
