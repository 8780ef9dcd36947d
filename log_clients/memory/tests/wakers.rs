//! What a waker may do to the memory log that woke it: anything, at once, whatever it was woken by.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use globe_log_client::{Keyspace, LogClient, Revision, Tail, Transaction};
use globe_memory::MemoryLog;

/// How long a test may take before it hangs: nothing in it waits for anything.
const BOUND: Duration = Duration::from_secs(5);

/// How often a waker meddles: each time it wakes others, and so itself.
const OFTEN: usize = 3;

fn keyspace() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

fn put(key: &'static str) -> Transaction {
    Transaction::new().put(&keyspace(), key, "value")
}

/// Uses the log that wakes it before it returns.
struct Meddler {
    log: MemoryLog,
    /// A tail of somebody else, who waits.
    victim: Mutex<Option<Tail>>,
    woken: AtomicUsize,
}

impl Meddler {
    fn of(log: &MemoryLog) -> Arc<Meddler> {
        let mut victim = tail(log);
        assert!(is_pending(&mut victim, Waker::noop()));
        Arc::new(Meddler {
            log: log.clone(),
            victim: Mutex::new(Some(victim)),
            woken: AtomicUsize::new(0),
        })
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        if self.woken.fetch_add(1, Ordering::SeqCst) >= OFTEN {
            return;
        }
        let victim = self.victim.lock().unwrap().take();
        drop(victim);
        let _ = now(self.log.commit(put("from a waker")));
        let _ = now(self.log.grant(Duration::from_secs(60)));
        let _ = now(self.log.head(&keyspace()));
        let _ = now(self.log.snapshot(&keyspace()));
        let _ = self.log.compact(self.log.head_position().revision);
    }
}

/// The outcome of a call that waits for nothing.
fn now<T>(call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    for _ in 0..100 {
        if let Poll::Ready(outcome) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return outcome;
        }
    }
    panic!("the memory log waits for something")
}

fn tail(log: &MemoryLog) -> Tail {
    now(log.tail(&keyspace(), log.head_position())).unwrap()
}

/// Polls a tail once.
fn is_pending(tail: &mut Tail, waker: &Waker) -> bool {
    let mut next = pin!(tail.next());
    next.as_mut()
        .poll(&mut Context::from_waker(waker))
        .is_pending()
}

/// Runs it on a thread and a runtime of its own. What hangs there fails here.
fn in_bounded_time(what: &'static str, work: impl FnOnce() -> BoxFuture<'static, ()>) {
    let (done, is_done) = mpsc::channel();
    let work = work();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(work);
        done.send(()).unwrap();
    });
    let outcome = is_done.recv_timeout(BOUND);
    assert!(outcome.is_ok(), "{what}: it hangs, or panicked");
}

/// Everything that wakes a tail that waits.
type Wakes = fn(&MemoryLog) -> BoxFuture<'_, ()>;

const CAUSES: [(&str, Wakes); 10] = [
    ("a commit", |log| {
        async { assert!(log.commit(put("key")).await.is_ok()) }.boxed()
    }),
    ("a grant", |log| {
        async { assert!(log.grant(Duration::from_secs(60)).await.is_ok()) }.boxed()
    }),
    ("a revocation", |log| {
        async {
            let lease = log.grant(Duration::from_secs(60)).await.unwrap().id;
            log.revoke(lease).await.unwrap();
        }
        .boxed()
    }),
    ("a lease that ends while somebody looks", |log| {
        async {
            let lease = log.grant(Duration::from_secs(1)).await.unwrap().id;
            let leased = Transaction::new().put_leased(&keyspace(), "leased", "value", lease);
            log.commit(leased).await.unwrap();
            tokio::time::advance(Duration::from_secs(2)).await;
            log.head(&keyspace()).await.unwrap();
        }
        .boxed()
    }),
    ("a compaction", |log| {
        async { log.compact(Revision(1)).unwrap() }.boxed()
    }),
    ("a restore", |log| {
        async { log.restore(&log.backup()) }.boxed()
    }),
    ("a wipe", |log| async { log.wipe() }.boxed()),
    ("an outage", |log| {
        async { log.set_available(false) }.boxed()
    }),
    ("a silence", |log| {
        async { log.silence_open_tails() }.boxed()
    }),
    ("a hold", |log| async { log.hold_tails(true) }.boxed()),
];

#[test]
fn a_waker_may_call_the_log_that_woke_it() {
    for (cause, wake) in CAUSES {
        in_bounded_time(cause, move || {
            async move {
                let log = MemoryLog::new();
                let meddler = Meddler::of(&log);
                let mut tail = tail(&log);
                let waker = Waker::from(Arc::clone(&meddler));
                let mut next = pin!(tail.next());
                assert!(
                    next.poll_unpin(&mut Context::from_waker(&waker))
                        .is_pending()
                );
                wake(&log).await;
                assert!(meddler.woken.load(Ordering::SeqCst) > 0, "{cause}");
                log.set_available(true);
                log.commit(put("after")).await.unwrap();
            }
            .boxed()
        });
    }
}

/// Bytes whose owner uses the log when it is dropped.
struct Owner(MemoryLog);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        b"value"
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = now(self.0.head(&keyspace()));
    }
}

#[test]
fn bytes_with_an_owner_may_call_the_log_that_drops_them() {
    in_bounded_time("bytes with an owner", || {
        async {
            let log = MemoryLog::new();
            let bytes = || bytes::Bytes::from_owner(Owner(log.clone()));
            for _ in 0..2 {
                let owned = Transaction::new().put(&keyspace(), bytes(), bytes());
                log.commit(owned).await.unwrap();
            }
            let absent = globe_log_client::Precondition::Absent;
            let refused = Transaction::new().when(&keyspace(), bytes(), absent);
            log.commit(refused).await.unwrap_err();
            log.compact(log.head_position().revision).unwrap();
            let delete = Transaction::new().delete(&keyspace(), bytes());
            log.commit(delete).await.unwrap();
            log.wipe();
        }
        .boxed()
    });
}
