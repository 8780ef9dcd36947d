//! What the tests of the map share: bounded waiting, a log around a log, and an ear for what is traced.
//!
//! Never imitates a log: what it wraps is the real memory log, and it only breaks what passes through.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod ear;
pub(crate) mod shown;
pub(crate) mod truth;
pub(crate) mod wakes;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use globe::log_client::{
    Batch, Lease, LogId, RecentHead, Record, Snapshot, Tail, Transaction, async_trait,
};
use globe::{
    Capabilities, Error, ErrorKind, Globe, Keyspace, LeaseId, LogClient, MemoryLog, Position,
    Result,
};
use tokio::sync::watch;

/// How long anything may take before a test gives up. Never what decides a test that passes.
const BOUND: Duration = Duration::from_secs(60);

/// What a future answers; fails the test instead of hanging.
pub(crate) async fn within<T>(what: &str, answer: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, answer).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// Waits until a condition holds; fails the test instead of hanging.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(what, wait).await;
}

pub(crate) fn keyspace(name: &str) -> Keyspace {
    Keyspace::new(name).unwrap()
}

/// A map of numbers on a log, hydrated.
pub(crate) async fn numbers(log: &(impl LogClient + Clone)) -> Globe<String, u64> {
    within("a map is opened", Globe::open(log.clone(), "numbers"))
        .await
        .unwrap()
}

/// The same map, with short pauses between attempts and a short deadline.
pub(crate) async fn brisk(log: &(impl LogClient + Clone)) -> Globe<String, u64> {
    let builder = Globe::builder(log.clone(), "numbers")
        .retry(Duration::from_millis(5), Duration::from_millis(20))
        .probe_interval(Duration::from_millis(50))
        .tail_timeout(Duration::from_millis(50))
        .deadline(Duration::from_secs(5));
    within("a map is opened", builder.open()).await.unwrap()
}

/// What another program does: writes bytes under a key, past every map.
pub(crate) async fn write_raw(
    log: &impl LogClient,
    space: &str,
    key: &str,
    value: &[u8],
) -> Position {
    let write = Transaction::new().put(&keyspace(space), key.to_owned(), value.to_vec());
    log.commit(write).await.unwrap()
}

/// What another program does: deletes a key, past every map.
pub(crate) async fn delete_raw(log: &impl LogClient, space: &str, key: &str) -> Position {
    let write = Transaction::new().delete(&keyspace(space), key.to_owned());
    log.commit(write).await.unwrap()
}

/// How many times each verb was called.
#[derive(Default, Debug)]
pub(crate) struct Calls {
    pub(crate) snapshots: AtomicUsize,
    pub(crate) tails: AtomicUsize,
    pub(crate) heads: AtomicUsize,
    pub(crate) commits: AtomicUsize,
    pub(crate) looks_back: AtomicUsize,
}

impl Calls {
    pub(crate) fn of(counter: &AtomicUsize) -> usize {
        counter.load(Ordering::SeqCst)
    }
}

/// What becomes of a batch on its way to the map.
type Distort = Box<dyn FnMut(Batch) -> Vec<Batch> + Send>;
/// What becomes of the answer of `head` on its way to the map.
type Misreport = Box<dyn FnMut(Position) -> Position + Send>;
/// What is answered to `recent_head`, for the age that was asked for.
type Recently = Box<dyn FnMut(Duration) -> RecentHead + Send>;

/// What is done before a page is read.
type BeforePage = Box<dyn FnMut() + Send>;

/// The transactions that passed through.
type Kept = Arc<Mutex<Vec<Transaction>>>;

/// A log around a log: all that passes through can be counted, held back, and distorted.
#[derive(Clone)]
pub(crate) struct Around {
    inner: MemoryLog,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    calls: Calls,
    /// Commits land, but their replies never come.
    loses_replies: AtomicBool,
    /// Requests to commit never reach the log.
    loses_requests: AtomicBool,
    /// How many milliseconds heads take to answer.
    delays_heads: AtomicU64,
    /// Heads and snapshots never answer.
    freezes_reads: AtomicBool,
    kept: Mutex<Option<Kept>>,
    distort: Mutex<Option<Distort>>,
    misreport: Mutex<Option<Misreport>>,
    recently: Mutex<Option<Recently>>,
    /// This way to the log is cut: calls fail, open tails break.
    is_cut: watch::Sender<bool>,
    /// Held: whoever opens a snapshot waits until it is let go.
    holds_snapshots: watch::Sender<bool>,
    /// Held: progress waits until somebody asks for the head.
    holds_progress: watch::Sender<bool>,
    /// How many pages of a snapshot come; the next one never does.
    hangs_after_pages: Mutex<Option<usize>>,
    /// What every request is refused with.
    refusal: Mutex<Option<Error>>,
    /// What is done before each page of a snapshot is read.
    before_page: Mutex<Option<BeforePage>>,
    /// Held: commits land, and their replies wait until they are let go.
    holds_replies: watch::Sender<bool>,
    /// How long tails live: they break after so many batches.
    breaks_tails_after: Mutex<Option<(usize, Error)>>,
}

impl Around {
    pub(crate) fn new(inner: &MemoryLog) -> Around {
        Around {
            inner: inner.clone(),
            shared: Arc::default(),
        }
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.shared.calls
    }

    pub(crate) fn lose_replies(&self, lost: bool) {
        self.shared.loses_replies.store(lost, Ordering::SeqCst);
    }

    pub(crate) fn lose_requests(&self, lost: bool) {
        self.shared.loses_requests.store(lost, Ordering::SeqCst);
    }

    /// The answer of `head` is made at once, and then takes so long to arrive.
    pub(crate) fn delay_heads(&self, millis: u64) {
        self.shared.delays_heads.store(millis, Ordering::SeqCst);
    }

    pub(crate) fn freeze_reads(&self, frozen: bool) {
        self.shared.freezes_reads.store(frozen, Ordering::SeqCst);
    }

    /// Cuts this way to the log, or mends it. The log itself goes on.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.shared.is_cut.send_replace(is_cut);
    }

    pub(crate) fn hold_snapshots(&self, held: bool) {
        self.shared.holds_snapshots.send_replace(held);
    }

    pub(crate) fn hold_replies(&self, held: bool) {
        self.shared.holds_replies.send_replace(held);
    }

    /// Progress comes from now on when the head is asked for, and not before.
    pub(crate) fn hold_progress(&self) {
        self.shared.holds_progress.send_replace(true);
    }

    /// Snapshots from now on hang after so many pages, or not.
    pub(crate) fn hang_after_pages(&self, pages: Option<usize>) {
        *self.shared.hangs_after_pages.lock().unwrap() = pages;
    }

    /// Every request is refused with this from now on, or none.
    pub(crate) fn refuse(&self, refusal: Option<Error>) {
        *self.shared.refusal.lock().unwrap() = refusal;
    }

    /// Is called before each page that is read.
    pub(crate) fn before_each_page(&self, call: impl FnMut() + Send + 'static) {
        *self.shared.before_page.lock().unwrap() = Some(Box::new(call));
    }

    /// Tails from now on break after so many batches, with this error.
    pub(crate) fn break_tails_after(&self, batches: Option<(usize, Error)>) {
        *self.shared.breaks_tails_after.lock().unwrap() = batches;
    }

    /// A copy of every transaction from now on.
    pub(crate) fn keep_transactions(&self) -> Kept {
        let kept = Kept::default();
        *self.shared.kept.lock().unwrap() = Some(Arc::clone(&kept));
        kept
    }

    /// Every batch of every tail passes through `distort` from now on.
    pub(crate) fn distort(&self, distort: impl FnMut(Batch) -> Vec<Batch> + Send + 'static) {
        *self.shared.distort.lock().unwrap() = Some(Box::new(distort));
    }

    /// Every answer of `head` passes through `misreport` from now on.
    pub(crate) fn misreport(&self, misreport: impl FnMut(Position) -> Position + Send + 'static) {
        *self.shared.misreport.lock().unwrap() = Some(Box::new(misreport));
    }

    /// Answers `recent_head` from now on, instead of the log.
    pub(crate) fn answer_recently(
        &self,
        answer: impl FnMut(Duration) -> RecentHead + Send + 'static,
    ) {
        *self.shared.recently.lock().unwrap() = Some(Box::new(answer));
    }

    /// Nothing is distorted or misreported any more.
    pub(crate) fn be_honest(&self) {
        *self.shared.distort.lock().unwrap() = None;
        *self.shared.misreport.lock().unwrap() = None;
    }

    /// Whether the log is reached at all, and answers.
    async fn reach(&self) -> Result<()> {
        self.freeze().await;
        self.check_way()
    }

    fn check_way(&self) -> Result<()> {
        if let Some(refusal) = &*self.shared.refusal.lock().unwrap() {
            return Err(refusal.clone());
        }
        if *self.shared.is_cut.borrow() {
            return Err(cut_off());
        }
        Ok(())
    }

    async fn freeze(&self) {
        if self.shared.freezes_reads.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Unavailable, "the way to the log is cut")
}

/// The next batch, unless the way is cut first.
async fn unless_cut(tail: &mut Tail, shared: &Shared) -> Result<Batch> {
    let mut is_cut = shared.is_cut.subscribe();
    tokio::select! {
        biased;
        _ = is_cut.wait_for(|is_cut| *is_cut) => Err(cut_off()),
        batch = unless_held(tail, shared) => batch,
    }
}

async fn unless_held(tail: &mut Tail, shared: &Shared) -> Result<Batch> {
    let batch = tail.next().await?;
    if batch.is_progress() {
        let mut held = shared.holds_progress.subscribe();
        let _ = held.wait_for(|held| !held).await;
    }
    Ok(batch)
}

fn distorted(shared: &Shared, batch: Batch) -> Vec<Batch> {
    match &mut *shared.distort.lock().unwrap() {
        Some(distort) => distort(batch),
        None => vec![batch],
    }
}

#[async_trait]
impl LogClient for Around {
    fn id(&self) -> LogId {
        self.inner.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        self.shared.calls.snapshots.fetch_add(1, Ordering::SeqCst);
        self.reach().await?;
        let mut held = self.shared.holds_snapshots.subscribe();
        let _ = held.wait_for(|held| !held).await;
        let snapshot = self.inner.snapshot(keyspace).await?;
        let position = snapshot.position();
        let state = (snapshot, Arc::clone(&self.shared), 0);
        let pages = futures::stream::unfold(state, |(mut snapshot, shared, number)| async move {
            let hangs_after = *shared.hangs_after_pages.lock().unwrap();
            if hangs_after == Some(number) {
                std::future::pending::<()>().await;
            }
            if let Some(call) = &mut *shared.before_page.lock().unwrap() {
                call();
            }
            let page = snapshot.next_page().await.transpose()?;
            Some((page, (snapshot, shared, number + 1)))
        });
        Ok(Snapshot::new(position, pages.boxed()))
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.shared.calls.tails.fetch_add(1, Ordering::SeqCst);
        self.check_way()?;
        let tail = self.inner.tail(keyspace, after).await?;
        let shared = Arc::clone(&self.shared);
        let state = (tail, Arc::clone(&shared));
        let breaks = self.shared.breaks_tails_after.lock().unwrap().clone();
        let batches = futures::stream::unfold(state, |(mut tail, shared)| async move {
            Some((unless_cut(&mut tail, &shared).await, (tail, shared)))
        });
        let passed = batches.flat_map(move |batch| {
            let batches = match batch {
                Ok(batch) => distorted(&shared, batch).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            futures::stream::iter(batches)
        });
        let Some((batches, error)) = breaks else {
            return Ok(Tail::new(passed.boxed()));
        };
        let broken = futures::stream::iter([Err(error)]);
        Ok(Tail::new(passed.take(batches).chain(broken).boxed()))
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.shared.calls.looks_back.fetch_add(1, Ordering::SeqCst);
        self.check_way()?;
        self.inner.record_at(keyspace, key, at).await
    }

    fn last_failure(&self) -> Option<Error> {
        self.inner.last_failure()
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.shared.calls.heads.fetch_add(1, Ordering::SeqCst);
        self.reach().await?;
        let head = self.inner.head(keyspace).await?;
        self.shared.holds_progress.send_replace(false);
        let delay = self.shared.delays_heads.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        Ok(match &mut *self.shared.misreport.lock().unwrap() {
            Some(misreport) => misreport(head),
            None => head,
        })
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        let answer = self
            .shared
            .recently
            .lock()
            .unwrap()
            .as_mut()
            .map(|answer| answer(age));
        match answer {
            Some(answer) => Ok(answer),
            None => Ok(RecentHead::new(self.head(keyspace).await?, Duration::ZERO)),
        }
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.shared.calls.commits.fetch_add(1, Ordering::SeqCst);
        self.check_way()?;
        if self.shared.loses_requests.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(kept) = &*self.shared.kept.lock().unwrap() {
            kept.lock().unwrap().push(transaction.clone());
        }
        let committed = self.inner.commit(transaction).await;
        if self.shared.loses_replies.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let mut held = self.shared.holds_replies.subscribe();
        let _ = held.wait_for(|held| !held).await;
        committed
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.inner.grant(ttl).await
    }

    async fn renew(&self, lease: LeaseId) -> Result<Lease> {
        self.inner.renew(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.inner.revoke(lease).await
    }
}

impl std::fmt::Debug for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Around")
    }
}
