//! A log around a log: all that passes through can be counted, held back, lost, and distorted.
//!
//! Never imitates a log: what it wraps is the real memory log, and it only breaks what passes through.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use globe::log_client::{
    Batch, Bytes, Change, Difference, KnownKeys, Lease, LogId, RecentHead, Record, Snapshot, Tail,
    Transaction, async_trait,
};
use globe::{
    Capabilities, Error, ErrorKind, Keyspace, LeaseId, LogClient, MemoryLog, Position, Result,
};
use tokio::sync::watch;

/// How many times each verb was called.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Calls {
    pub(crate) snapshots: usize,
    pub(crate) differences: usize,
    pub(crate) tails: usize,
    pub(crate) heads: usize,
    pub(crate) commits: usize,
    pub(crate) looks_back: usize,
    pub(crate) grants: usize,
    pub(crate) renewals: usize,
    pub(crate) revocations: usize,
}

/// The transactions that passed through.
type Kept = Arc<Mutex<Vec<Transaction>>>;
/// How a key is spelled on its way to the map.
type Spelling = fn(Bytes) -> Bytes;
type Event = Box<dyn FnOnce() + Send>;

/// What is wrong with the way to the log.
#[derive(Default)]
struct Breaks {
    is_cut: bool,
    refusal: Option<Error>,
    refused_key: Option<&'static str>,
    freezes_reads: bool,
    loses_requests: bool,
    holds_requests: bool,
    loses_replies: bool,
    holds_replies: bool,
    holds_snapshots: bool,
    holds_progress: bool,
    delays_heads: Duration,
    delays_renewals: Duration,
    refused_lease: Option<LeaseId>,
    /// Leases live so many times longer than is said.
    lengthens: u32,
    holds_revocations: bool,
    hangs_after_pages: Option<usize>,
    breaks_tails_after: Option<(usize, Error)>,
    spelling: Option<Spelling>,
}

/// What is done with what passes through.
#[derive(Default)]
struct Hooks {
    distort: Option<Box<dyn FnMut(Batch) -> Vec<Batch> + Send>>,
    misreport: Option<Box<dyn FnMut(Position) -> Position + Send>>,
    recently: Option<Box<dyn FnMut(Duration) -> RecentHead + Send>>,
    before_commit: Option<Event>,
    after_commit: Option<Event>,
    kept: Option<Kept>,
}

#[derive(Default)]
struct Way {
    calls: Mutex<Calls>,
    breaks: watch::Sender<Breaks>,
    hooks: Mutex<Hooks>,
}

impl Way {
    async fn until(&self, holds: impl FnMut(&Breaks) -> bool + Send) {
        let _ = self.breaks.subscribe().wait_for(holds).await;
    }

    /// Whoever calls this while it is so is never answered.
    async fn hang_if(&self, hangs: impl FnOnce(&Breaks) -> bool + Send) {
        let hangs = hangs(&self.breaks.borrow());
        if hangs {
            std::future::pending::<()>().await;
        }
    }

    fn check(&self) -> Result<()> {
        let breaks = self.breaks.borrow();
        match &breaks.refusal {
            Some(refusal) => Err(refusal.clone()),
            None if breaks.is_cut => Err(cut_off()),
            None => Ok(()),
        }
    }

    fn check_keys(&self, transaction: &Transaction) -> Result<()> {
        let refused = self.breaks.borrow().refused_key.map(str::as_bytes);
        let mut writes = transaction.writes().iter();
        let is_refused = writes.any(|(_, key, _)| refused == Some(&**key));
        let denied = Error::new(ErrorKind::Denied, "not this key");
        if is_refused { Err(denied) } else { Ok(()) }
    }

    /// The next batch, unless the way is cut first.
    async fn next(&self, tail: &mut Tail) -> Result<Batch> {
        tokio::select! {
            biased;
            () = self.until(|breaks| breaks.is_cut) => Err(cut_off()),
            batch = tail.next() => {
                let batch = batch?;
                if batch.is_progress() {
                    self.until(|breaks| !breaks.holds_progress).await;
                }
                Ok(batch)
            }
        }
    }

    fn distorted(&self, batch: Batch) -> Vec<Batch> {
        match &mut self.hooks.lock().unwrap().distort {
            Some(distort) => distort(batch),
            None => vec![batch],
        }
    }

    /// What was to happen once, if it has not yet.
    fn happen(&self, of: impl FnOnce(&mut Hooks) -> &mut Option<Event>) {
        let event = of(&mut self.hooks.lock().unwrap()).take();
        if let Some(event) = event {
            event();
        }
    }
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Unavailable, "the way to the log is cut")
}

async fn respelled(snapshot: Snapshot, spelling: Spelling) -> Result<Snapshot> {
    let (position, mut records) = (snapshot.position(), snapshot.collect().await?);
    for record in &mut records {
        record.key = spelling(record.key.clone());
    }
    records.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(Snapshot::of(position, records))
}

/// The way to a log. Clones are one and the same.
#[derive(Clone)]
pub(crate) struct Around {
    inner: MemoryLog,
    way: Arc<Way>,
}

impl Around {
    pub(crate) fn new(inner: &MemoryLog) -> Around {
        let (inner, way) = (inner.clone(), Arc::default());
        Around { inner, way }
    }

    pub(crate) fn calls(&self) -> Calls {
        *self.way.calls.lock().unwrap()
    }

    fn count(&self, count: impl FnOnce(&mut Calls)) {
        count(&mut self.way.calls.lock().unwrap());
    }

    fn change(&self, change: impl FnOnce(&mut Breaks)) {
        self.way.breaks.send_modify(change);
    }

    fn hook(&self, hook: impl FnOnce(&mut Hooks)) {
        hook(&mut self.way.hooks.lock().unwrap());
    }

    /// Cuts this way to the log, or mends it: calls fail, open tails break. The log itself goes on.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.change(|breaks| breaks.is_cut = is_cut);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.way.breaks.borrow().is_cut
    }

    /// Every request is refused with this from now on, or none.
    pub(crate) fn refuse(&self, refusal: Option<Error>) {
        self.change(|breaks| breaks.refusal = refusal);
    }

    /// Every transaction that writes this key is refused.
    pub(crate) fn refuse_key(&self, key: &'static str) {
        self.change(|breaks| breaks.refused_key = Some(key));
    }

    /// Heads and snapshots never answer.
    pub(crate) fn freeze_reads(&self, frozen: bool) {
        self.change(|breaks| breaks.freezes_reads = frozen);
    }

    /// Requests to commit never reach the log.
    pub(crate) fn lose_requests(&self, lost: bool) {
        self.change(|breaks| breaks.loses_requests = lost);
    }

    /// Requests to commit wait until they are let go, and then land late.
    pub(crate) fn hold_requests(&self, held: bool) {
        self.change(|breaks| breaks.holds_requests = held);
    }

    /// Commits land, but their replies never come.
    pub(crate) fn lose_replies(&self, lost: bool) {
        self.change(|breaks| breaks.loses_replies = lost);
    }

    /// Commits land, and their replies wait until they are let go.
    pub(crate) fn hold_replies(&self, held: bool) {
        self.change(|breaks| breaks.holds_replies = held);
    }

    /// Whoever opens a snapshot waits until it is let go.
    pub(crate) fn hold_snapshots(&self, held: bool) {
        self.change(|breaks| breaks.holds_snapshots = held);
    }

    /// Progress comes from now on when the head is asked for, and not before.
    pub(crate) fn hold_progress(&self) {
        self.change(|breaks| breaks.holds_progress = true);
    }

    /// The answer of `head` is made at once, and then takes so long to arrive.
    pub(crate) fn delay_heads(&self, delay: Duration) {
        self.change(|breaks| breaks.delays_heads = delay);
    }

    /// A renewal is done at once, and its answer then takes so long to arrive.
    pub(crate) fn delay_renewals(&self, delay: Duration) {
        self.change(|breaks| breaks.delays_renewals = delay);
    }

    /// Renewals of this lease fail, and are not counted.
    pub(crate) fn refuse_lease(&self, lease: LeaseId) {
        self.change(|breaks| breaks.refused_lease = Some(lease));
    }

    /// Leases live so many times longer from now on than their owner is told, as they do while a log elects a leader.
    pub(crate) fn lengthen_leases(&self, times: u32) {
        self.change(|breaks| breaks.lengthens = times - 1);
    }

    /// Revocations wait until they are let go.
    pub(crate) fn hold_revocations(&self, held: bool) {
        self.change(|breaks| breaks.holds_revocations = held);
    }

    fn times(&self) -> u32 {
        self.way.breaks.borrow().lengthens + 1
    }

    /// Snapshots from now on hang after so many pages, or not.
    pub(crate) fn hang_after_pages(&self, pages: Option<usize>) {
        self.change(|breaks| breaks.hangs_after_pages = pages);
    }

    /// Tails from now on break after so many batches, with this error.
    pub(crate) fn break_tails_after(&self, batches: Option<(usize, Error)>) {
        self.change(|breaks| breaks.breaks_tails_after = batches);
    }

    /// Keys come spelled otherwise than they stand in the log, which takes no key that is not text.
    pub(crate) fn spell(&self, spelling: Spelling) {
        self.change(|breaks| breaks.spelling = Some(spelling));
        self.distort(move |mut batch| {
            for change in &mut batch.changes {
                match change {
                    Change::Put(record) => record.key = spelling(record.key.clone()),
                    Change::Delete { key, .. } => *key = spelling(key.clone()),
                    unknown => panic!("{unknown:?}"),
                }
            }
            vec![batch]
        });
    }

    /// Every batch of every tail passes through `distort` from now on.
    pub(crate) fn distort(&self, distort: impl FnMut(Batch) -> Vec<Batch> + Send + 'static) {
        self.hook(|hooks| hooks.distort = Some(Box::new(distort)));
    }

    /// Every answer of `head` passes through `misreport` from now on.
    pub(crate) fn misreport(&self, misreport: impl FnMut(Position) -> Position + Send + 'static) {
        self.hook(|hooks| hooks.misreport = Some(Box::new(misreport)));
    }

    /// Nothing is distorted or misreported any more.
    pub(crate) fn be_honest(&self) {
        self.hook(|hooks| (hooks.distort, hooks.misreport) = (None, None));
    }

    /// Answers `recent_head` from now on, instead of the log.
    pub(crate) fn answer_recently(
        &self,
        answer: impl FnMut(Duration) -> RecentHead + Send + 'static,
    ) {
        self.hook(|hooks| hooks.recently = Some(Box::new(answer)));
    }

    pub(crate) fn before_the_next_commit(&self, event: impl FnOnce() + Send + 'static) {
        self.hook(|hooks| hooks.before_commit = Some(Box::new(event)));
    }

    pub(crate) fn after_the_next_commit(&self, event: impl FnOnce() + Send + 'static) {
        self.hook(|hooks| hooks.after_commit = Some(Box::new(event)));
    }

    /// A copy of every transaction from now on.
    pub(crate) fn keep_transactions(&self) -> Kept {
        let kept = Kept::default();
        self.hook(|hooks| hooks.kept = Some(Arc::clone(&kept)));
        kept
    }

    /// Whether the log is reached at all, and answers.
    async fn reach(&self) -> Result<()> {
        self.way.hang_if(|breaks| breaks.freezes_reads).await;
        self.way.check()
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
        self.count(|calls| calls.snapshots += 1);
        self.reach().await?;
        self.way.until(|breaks| !breaks.holds_snapshots).await;
        let mut snapshot = self.inner.snapshot(keyspace).await?;
        let spelling = self.way.breaks.borrow().spelling;
        if let Some(spelling) = spelling {
            snapshot = respelled(snapshot, spelling).await?;
        }
        let position = snapshot.position();
        let state = (snapshot, Arc::clone(&self.way), 0);
        let pages = futures::stream::unfold(state, |(mut snapshot, way, number)| async move {
            way.hang_if(|breaks| breaks.hangs_after_pages == Some(number))
                .await;
            let page = snapshot.next_page().await.transpose()?;
            Some((page, (snapshot, way, number + 1)))
        });
        Ok(Snapshot::new(position, pages.boxed()))
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.count(|calls| calls.differences += 1);
        self.reach().await?;
        // Its keys are not those of the log inside.
        if self.way.breaks.borrow().spelling.is_some() {
            let why = "there are no differences here";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let difference = self.inner.difference(keyspace, since, known).await?;
        let position = difference.position();
        let state = (difference, Arc::clone(&self.way), 0);
        let pages = futures::stream::unfold(state, |(mut difference, way, number)| async move {
            way.hang_if(|breaks| breaks.hangs_after_pages == Some(number))
                .await;
            let page = difference.next_page().await.transpose()?;
            Some((page, (difference, way, number + 1)))
        });
        Ok(Difference::new(position, pages.boxed()))
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.count(|calls| calls.tails += 1);
        self.way.check()?;
        let tail = self.inner.tail(keyspace, after).await?;
        let breaks = self.way.breaks.borrow().breaks_tails_after.clone();
        let state = (tail, Arc::clone(&self.way));
        let passed = futures::stream::unfold(state, |(mut tail, way)| async move {
            let batches = match way.next(&mut tail).await {
                Ok(batch) => way.distorted(batch).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            Some((futures::stream::iter(batches), (tail, way)))
        });
        let Some((batches, error)) = breaks else {
            return Ok(Tail::new(passed.flatten().boxed()));
        };
        let broken = futures::stream::iter([Err(error)]);
        Ok(Tail::new(
            passed.flatten().take(batches).chain(broken).boxed(),
        ))
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.count(|calls| calls.looks_back += 1);
        self.way.check()?;
        self.inner.record_at(keyspace, key, at).await
    }

    fn last_failure(&self) -> Option<Error> {
        self.inner.last_failure()
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.count(|calls| calls.heads += 1);
        self.reach().await?;
        let head = self.inner.head(keyspace).await?;
        self.change(|breaks| breaks.holds_progress = false);
        let delay = self.way.breaks.borrow().delays_heads;
        tokio::time::sleep(delay).await;
        Ok(match &mut self.way.hooks.lock().unwrap().misreport {
            Some(misreport) => misreport(head),
            None => head,
        })
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        if let Some(answer) = &mut self.way.hooks.lock().unwrap().recently {
            return Ok(answer(age));
        }
        Ok(RecentHead::new(self.head(keyspace).await?, Duration::ZERO))
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.count(|calls| calls.commits += 1);
        self.way.check().and(self.way.check_keys(&transaction))?;
        self.way.hang_if(|breaks| breaks.loses_requests).await;
        self.way.until(|breaks| !breaks.holds_requests).await;
        if let Some(kept) = &self.way.hooks.lock().unwrap().kept {
            kept.lock().unwrap().push(transaction.clone());
        }
        self.way.happen(|hooks| &mut hooks.before_commit);
        let committed = self.inner.commit(transaction).await;
        self.way.happen(|hooks| &mut hooks.after_commit);
        self.way.hang_if(|breaks| breaks.loses_replies).await;
        self.way.until(|breaks| !breaks.holds_replies).await;
        committed
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.count(|calls| calls.grants += 1);
        self.way.check()?;
        let granted = self.inner.grant(ttl * self.times()).await?;
        Ok(Lease::new(granted.id, ttl, granted.epoch))
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        if self.way.breaks.borrow().refused_lease == Some(lease.id) {
            return Err(cut_off());
        }
        self.count(|calls| calls.renewals += 1);
        self.way.check()?;
        self.inner.renew(lease).await?;
        let delay = self.way.breaks.borrow().delays_renewals;
        tokio::time::sleep(delay).await;
        self.way.check()?;
        Ok(lease)
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.count(|calls| calls.revocations += 1);
        self.way.until(|breaks| !breaks.holds_revocations).await;
        self.way.check()?;
        self.inner.revoke(lease).await
    }
}

impl std::fmt::Debug for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Around")
    }
}
