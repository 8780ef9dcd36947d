//! Hand-made wakers that panic, block, drop what they wake, or come back in: they run outside every lock of the map's.
//!
//! Never a waker that waits for its own map: nothing could come that it waits for.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use globe::{ErrorKind, Globe, MemoryLog, Phase, Watch};

use crate::rig::{fails_with, numbers, until, within, write_raw};
use crate::traps::{BOUND, Neighbour, lives_on, on_every_runtime, on_threads, some_map};

type Numbers = Globe<String, u64>;
type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

type OnWake = Box<dyn Fn(&Arc<Host>) + Send + Sync>;

/// A host that runs a future by hand, and does something of its own when it is woken.
struct Host {
    future: Mutex<Option<Waiting>>,
    on_wake: OnWake,
    wakes: AtomicUsize,
}

impl Wake for Host {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        (self.on_wake)(&self);
    }
}

impl Host {
    fn run(
        future: impl Future<Output = ()> + Send + 'static,
        on_wake: impl Fn(&Arc<Host>) + Send + Sync + 'static,
    ) -> Arc<Host> {
        let host = Arc::new(Host {
            future: Mutex::new(Some(Box::pin(future))),
            on_wake: Box::new(on_wake),
            wakes: AtomicUsize::new(0),
        });
        assert!(host.poll(), "there is something to wait for");
        host
    }

    /// Whether it still waits. One that is being polled elsewhere, or woken while it is polled, does.
    fn poll(self: &Arc<Host>) -> bool {
        let waker = Waker::from(Arc::clone(self));
        let Ok(mut future) = self.future.try_lock() else {
            return true;
        };
        let Some(waiting) = future.as_mut() else {
            return false;
        };
        let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
        if polled == Poll::Ready(()) {
            *future = None;
        }
        future.is_some()
    }

    fn let_go(&self) {
        let future = self.future.lock().unwrap().take();
        drop(future);
    }

    fn was_woken(&self) -> bool {
        self.wakes.load(Ordering::SeqCst) > 0
    }
}

/// How many ways to wait there are.
const WAITS: usize = 7;

/// Runs one of the ways to wait for a change of `good` by hand, and then makes that change.
async fn hosted(
    log: &MemoryLog,
    map: &Numbers,
    number: usize,
    on_wake: impl Fn(&Arc<Host>) + Send + Sync + 'static,
) -> (&'static str, Arc<Host>) {
    let (name, waiting) = waits(map).swap_remove(number);
    // A put would else be visible before it waits for that.
    log.hold_tails(true);
    let host = Host::run(waiting, on_wake);
    write_raw(log, "numbers", "good", b"7").await;
    log.hold_tails(false);
    (name, host)
}

/// Every way to wait for a change of `good`, by name.
fn waits(map: &Numbers) -> Vec<(&'static str, Waiting)> {
    async fn next(mut watch: Watch<String, u64>) {
        watch.next().await;
    }
    let (first, second) = (map.clone(), map.clone());
    vec![
        ("watch", Box::pin(next(map.watch()))),
        ("watch_key", Box::pin(next(map.watch_key("good")))),
        ("watch_prefix", Box::pin(next(map.watch_prefix("go")))),
        ("watch_where", Box::pin(next(map.watch_where(|_| true)))),
        ("every", Box::pin(next(map.watch().every_revision(4)))),
        (
            "wait_for",
            Box::pin(async move {
                let there = first.wait_for(|view| view.get("good").is_some_and(|v| *v == 7));
                drop(there.await);
            }),
        ),
        (
            "put",
            Box::pin(async move { drop(second.put("good", 7).await) }),
        ),
    ]
}

#[test]
fn wakers_that_panic_do_so_alone() {
    on_every_runtime(|| async {
        let (log, map) = some_map().await;
        let mut neighbour = Neighbour::move_in(&log).await;
        let mut hosts = Vec::new();
        for number in 0..WAITS {
            let (_, host) = hosted(&log, &map, number, |_| panic!("a trap springs")).await;
            until("it panics", || host.was_woken()).await;
            hosts.push(host);
            within("a write", map.put("good", 1)).await.unwrap();
        }
        lives_on(&map).await;
        within("a write", map.put("late", 1)).await.unwrap();
        neighbour.goes_on().await;
        // Many at once, and at the end of the map as well.
        let again = waits(&map).into_iter().map(|(_, waiting)| waiting);
        let panic_again = |waiting| Host::run(waiting, |_| panic!("a trap springs"));
        log.hold_tails(true);
        hosts.extend(again.map(panic_again));
        let (its, mut watch) = (map.clone(), map.watch_key("never"));
        let waits = tokio::spawn(async move { its.wait_for(|_| false).await.map(drop) });
        log.hold_tails(false);
        within("closing", map.close()).await;
        assert_eq!(map.status().phase, Phase::Closed);
        assert!(within("the end", watch.next()).await.is_none());
        let waited = within("the end", waits).await.unwrap();
        fails_with(waited, ErrorKind::Closed);
        // Or the runtime's own timers would wake them once more.
        hosts.iter().for_each(|host| host.let_go());
    });
}

#[test]
fn a_waker_that_panics_leaves_no_other_asleep() {
    on_every_runtime(|| async {
        let (log, map) = some_map().await;
        let (bad, mut good) = (map.watch(), map.watch());
        let its = map.clone();
        let waiting = async move {
            let mut bad = bad;
            let never = its.wait_for(|_| false);
            drop(futures::future::join(bad.next(), never).await);
        };
        let host = Host::run(waiting, |_| panic!("a trap springs"));
        let its = map.clone();
        let there = async move { its.wait_for(|view| view.contains_key("late")).await };
        let there = tokio::spawn(there);
        let mut of_key = map.watch_key("late");
        write_raw(&log, "numbers", "good", b"7").await;
        until("it panics", || host.was_woken()).await;
        write_raw(&log, "numbers", "late", b"1").await;
        within("another wait", there).await.unwrap().unwrap();
        within("another watch", good.next()).await.unwrap();
        within("another watch", of_key.next()).await.unwrap();
    });
}

#[test]
fn a_waker_may_drop_what_it_wakes() {
    on_every_runtime(|| async {
        for number in 0..WAITS {
            let (log, map) = some_map().await;
            let (name, host) = hosted(&log, &map, number, |host| host.let_go()).await;
            until(name, || host.was_woken()).await;
            within(name, map.put("late", 1)).await.unwrap();
            lives_on(&map).await;
        }
    });
}

#[test]
fn a_waker_may_drop_every_watch_there_is() {
    on_every_runtime(|| async {
        let (log, map) = some_map().await;
        let watches: Vec<_> = (0..20).map(|_| map.watch()).collect();
        let keyed: Vec<_> = (0..20).map(|_| map.watch_key("good")).collect();
        let all = Mutex::new(Some((watches, keyed)));
        log.hold_tails(true);
        let mut hosts = Vec::new();
        for (_, waiting) in waits(&map) {
            hosts.push(Host::run(waiting, |host| host.let_go()));
        }
        let others: Vec<Weak<Host>> = hosts.iter().map(Arc::downgrade).collect();
        let (_, waiting) = waits(&map).swap_remove(0);
        let last = Host::run(waiting, move |host| {
            drop(all.lock().unwrap().take());
            let others = others.iter().filter_map(Weak::upgrade);
            others.for_each(|other| other.let_go());
            host.let_go();
        });
        write_raw(&log, "numbers", "good", b"7").await;
        log.hold_tails(false);
        until("it is woken", || last.was_woken()).await;
        within("a write", map.put("late", 1)).await.unwrap();
        lives_on(&map).await;
    });
}

#[test]
fn a_waker_may_come_back_in() {
    on_every_runtime(|| async {
        for number in 0..WAITS {
            let (log, map) = some_map().await;
            let (its, runtime) = (map.clone(), tokio::runtime::Handle::current());
            let made = Mutex::new(Vec::new());
            let come_back_in = move |host: &Arc<Host>| {
                assert_eq!(its.get("other").as_deref(), Some(&2));
                assert_eq!(its.view().len(), its.len());
                drop((its.status(), its.position(), its.watch_prefix("o")));
                made.lock().unwrap().push(its.watch());
                let late = its.clone();
                runtime.spawn(async move { late.put("late", 1).await });
                host.poll();
            };
            let (name, host) = hosted(&log, &map, number, come_back_in).await;
            until(name, || host.was_woken()).await;
            until(name, || map.contains_key("late")).await;
            lives_on(&map).await;
        }
    });
}

#[test]
fn a_host_that_polls_where_it_is_woken_misses_nothing() {
    on_every_runtime(|| async {
        let (_, map) = some_map().await;
        let newest = Arc::new(AtomicUsize::new(0));
        for mut watch in [
            map.watch(),
            map.watch_key("good"),
            map.watch().every_revision(8),
        ] {
            let seen = Arc::clone(&newest);
            seen.store(0, Ordering::SeqCst);
            let follow = async move {
                while let Some(changes) = watch.next().await {
                    let value = changes.as_slice()[0].new_value().map_or(0, |value| **value);
                    seen.store(value as usize, Ordering::SeqCst);
                }
            };
            let host = Host::run(follow, |host| _ = host.poll());
            for value in 1..=50 {
                map.put("good", value).await.unwrap();
                // On several threads a wake may find it being polled: the host looks again, as it has to.
                until("it is shown", || {
                    host.poll();
                    newest.load(Ordering::SeqCst) == value as usize
                })
                .await;
            }
        }
    });
}

#[test]
fn a_waker_may_close_the_map_or_drop_its_last_handle() {
    on_every_runtime(|| async {
        let (log, map) = some_map().await;
        let (mut watch, its) = (map.watch_key("never"), map.clone());
        let (_, waiting) = waits(&map).swap_remove(0);
        let closed = Arc::new(Mutex::new(None));
        let closing = Arc::clone(&closed);
        let _host = Host::run(waiting, move |_| {
            let its = its.clone();
            let closing: Waiting = Box::pin(async move { its.close().await });
            let host = Host::run(closing, |host| _ = host.poll());
            closed.lock().unwrap().get_or_insert(host);
        });
        write_raw(&log, "numbers", "good", b"7").await;
        assert!(within("the end", watch.next()).await.is_none());
        assert_eq!(map.status().phase, Phase::Closed);
        until("closing is answered", || {
            closing
                .lock()
                .unwrap()
                .as_ref()
                .is_some_and(|it| !it.poll())
        })
        .await;

        let map = numbers(&log).await;
        let mut watch = map.watch_key("never");
        let (_, waiting) = waits(&map).swap_remove(1);
        let last = Mutex::new(Some(map));
        let _host = Host::run(waiting, move |_| drop(last.lock().unwrap().take()));
        write_raw(&log, "numbers", "good", b"8").await;
        assert!(within("the end", watch.next()).await.is_none());
    });
}

#[test]
fn a_host_that_holds_its_own_lock_while_it_makes_watches_does_not_deadlock() {
    on_threads(|| async {
        for number in 0..WAITS {
            let (log, map) = some_map().await;
            let (name, waiting) = waits(&map).swap_remove(number);
            let of_the_host = Arc::new(Mutex::new(Vec::new()));
            let (its, entered) = (Arc::clone(&of_the_host), Arc::new(AtomicBool::new(false)));
            let enters = Arc::clone(&entered);
            log.hold_tails(true);
            let host = Host::run(waiting, move |_| {
                enters.store(true, Ordering::SeqCst);
                its.lock().unwrap().push(None);
            });
            let (tell, told) = mpsc::channel();
            let (its, writer) = (map.clone(), log.clone());
            let runtime = tokio::runtime::Handle::current();
            thread::spawn(move || {
                let mut of_the_host = of_the_host.lock().unwrap();
                runtime.block_on(write_raw(&writer, "numbers", "good", b"7"));
                writer.hold_tails(false);
                runtime.block_on(until("it waits for the host", || {
                    entered.load(Ordering::SeqCst)
                }));
                of_the_host.push(Some(its.watch()));
                of_the_host.push(Some(its.watch_key("good")));
                drop((its.watch(), its.get("good"), its.view(), its.status()));
                tell.send(()).unwrap();
            });
            let answered = tokio::task::spawn_blocking(move || told.recv_timeout(BOUND));
            answered.await.unwrap().expect(name);
            within(name, map.put("late", 1)).await.unwrap();
            drop(host);
        }
    });
}
