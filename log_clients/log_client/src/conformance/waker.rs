//! Wakers that do more than wake: they may use the log at once, from wherever it wakes them.
//!
//! Never trusts a deadlock to end: what hangs does so on a thread of its own.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::runtime::Handle;

use super::harness::Harness;
use super::space::{PATIENCE, Space, soon};
use crate::error::Result;
use crate::record::Batch;
use crate::tail::Tail;
use crate::transaction::Transaction;

/// How long the whole may take before it hangs.
const BOUND: Duration = Duration::from_secs(60);

/// How often a waker meddles: each time it wakes others, and so perhaps itself.
const OFTEN: usize = 5;

/// Whom a waker wakes besides, and what it does before.
struct Meddler {
    space: Space,
    /// A tail of somebody else, who waits.
    victim: Mutex<Option<Tail>>,
    woken: AtomicUsize,
    /// Wakes seen by the task that waits.
    noticed: AtomicUsize,
    task: Mutex<Option<Waker>>,
}

impl Meddler {
    /// Polls a tail with a waker that meddles; again only when that was called.
    async fn next(self: &Arc<Meddler>, tail: &mut Tail) -> Result<Batch> {
        let meddling = Waker::from(Arc::clone(self));
        let mut next = pin!(tail.next());
        let mut is_first = true;
        poll_fn(|context| {
            *self.task.lock().unwrap() = Some(context.waker().clone());
            let woken = self.woken.load(Ordering::SeqCst);
            let is_news = self.noticed.swap(woken, Ordering::SeqCst) != woken;
            if !is_news && !std::mem::take(&mut is_first) {
                return Poll::Pending;
            }
            next.as_mut().poll(&mut Context::from_waker(&meddling))
        })
        .await
    }

    /// Begins every kind of call, and gives it up.
    fn meddle(&self) {
        let (log, keyspace) = (&self.space.log, &self.space.keyspace);
        let victim = self.victim.lock().unwrap().take();
        drop(victim);
        begin(log.commit(Transaction::new().put(keyspace, "meddled", "value")));
        begin(log.head(keyspace));
        begin(log.snapshot(keyspace));
        begin(log.grant(PATIENCE));
        let _ = (log.capabilities(), log.last_failure(), log.status());
        let _ = format!("{log:?}");
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        if self.woken.fetch_add(1, Ordering::SeqCst) < OFTEN {
            self.meddle();
        }
        let task = self.task.lock().unwrap().take();
        task.into_iter().for_each(Waker::wake);
    }
}

/// Polls a call once, and drops it.
fn begin<T>(call: impl Future<Output = T>) {
    let _ = pin!(call).poll(&mut Context::from_waker(Waker::noop()));
}

pub async fn a_waker_may_call_the_log_that_woke_it(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let there = space.elsewhere(harness).await;
    let runtime = Handle::current();
    on_a_thread(move || runtime.block_on(meddled_with(space, there))).await;
}

async fn meddled_with(space: Space, there: Space) {
    let at = space.put("before", "value").await;
    let mut tail = space.tail(at).await.unwrap();
    let mut victim = space.tail(at).await.unwrap();
    begin(victim.next());
    let meddler = Arc::new(Meddler {
        space: space.clone(),
        victim: Mutex::new(Some(victim)),
        woken: AtomicUsize::new(0),
        noticed: AtomicUsize::new(0),
        task: Mutex::new(None),
    });
    let mut reached = at.revision;
    for (round, writer) in [&space, &there, &space, &there].into_iter().enumerate() {
        let write = writer.put(format!("{round}"), "value");
        let (batch, written) = tokio::join!(meddler.next(&mut tail), write);
        let mut batch = batch.expect("a batch");
        while batch.revision < written.revision {
            reached = follows(&batch, reached);
            batch = soon("a batch", meddler.next(&mut tail)).await.unwrap();
        }
        reached = follows(&batch, reached);
    }
    assert!(meddler.woken.load(Ordering::SeqCst) > 0, "nobody was woken");
    let written = space.put("after", "value").await;
    while reached < written.revision {
        let batch = soon("a batch", tail.next()).await.unwrap();
        reached = follows(&batch, reached);
    }
    let records = space.records().await;
    assert!(records.contains_key(&b"after"[..]) && records.contains_key(&b"3"[..]));
}

fn follows(batch: &Batch, reached: crate::Revision) -> crate::Revision {
    assert!(batch.revision > reached, "{batch:?} after {reached}");
    batch.revision
}

/// Runs what may block its thread for ever.
async fn on_a_thread(work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    // Waited for by a thread, too: where every worker hangs, nobody tells the time.
    let outcome = tokio::task::spawn_blocking(move || is_done.recv_timeout(BOUND));
    let outcome = outcome.await.unwrap();
    assert!(outcome.is_ok(), "it hangs, or panicked");
}
