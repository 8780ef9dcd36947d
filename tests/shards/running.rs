//! A closure for each shard: begun, handed over, dropped, and begun again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use globe::shards::{Mode, Phase, ShardMember};
use globe::{ErrorKind, Fenced};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::cluster::{BOUND, Cluster, is_settled};
use crate::rig::{Around, until};

/// Runs one at a time of each shard, by the journal.
async fn run(
    cluster: &Cluster,
    id: &'static str,
    way: &Around,
) -> (
    oneshot::Sender<()>,
    tokio::task::JoinHandle<globe::Result<()>>,
) {
    let (shards, session) = cluster.process(id, way).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async move { drop(stopped.await) };
    let inner = cluster.clone();
    let running = tokio::spawn(async move {
        let work = move |shard: globe::shards::OwnedShard| {
            let cluster = inner.clone();
            async move {
                cluster.journal.begin(cluster.mode, &shard, id);
                let serving = Serving(cluster, shard.shard(), id);
                shard.draining().await;
                sleep(Duration::from_millis(30)).await;
                drop(serving);
            }
        };
        shards
            .run(&session, ShardMember::new(id), until, work)
            .await
    });
    (stop, running)
}

struct Serving(Cluster, u32, &'static str);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.journal.end(self.1, self.2);
    }
}

#[tokio::test(start_paused = true)]
async fn returning_is_the_hand_over() {
    for mode in [Mode::Strict, Mode::Available] {
        let cluster = Cluster::new(20, mode);
        let (stop, first) = run(&cluster, "a", &Around::new(&cluster.log)).await;
        until("all is served", || cluster.journal.serving("a") == 20).await;
        let (_stop, _second) = run(&cluster, "b", &Around::new(&cluster.log)).await;
        until("the other has its share", || {
            cluster.journal.serving("b") == 10
        })
        .await;
        stop.send(()).unwrap();
        timeout(BOUND, first).await.unwrap().unwrap().unwrap();
        assert_eq!(cluster.journal.serving("a"), 0);
        until("the other has all", || cluster.journal.serving("b") == 20).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_sure_drops_what_runs_and_runs_it_again() {
    let cluster = Cluster::new(8, Mode::Strict);
    let way = Around::new(&cluster.log);
    way.lengthen_leases(10_000);
    let (_stop, _running) = run(&cluster, "a", &way).await;
    until("all is served", || cluster.journal.serving("a") == 8).await;
    way.cut(true);
    until("nothing is", || cluster.journal.serving("a") == 0).await;
    way.cut(false);
    until("all is again", || cluster.journal.serving("a") == 8).await;
}

/// Runs what neither ends nor listens, as `a`.
async fn run_deaf(cluster: &Cluster, way: &Around) -> tokio::task::JoinHandle<globe::Result<()>> {
    let (shards, session) = cluster.process("a", way).await;
    let inner = cluster.clone();
    tokio::spawn(async move {
        let work = move |shard: globe::shards::OwnedShard| {
            inner.journal.begin(inner.mode, &shard, "a");
            let serving = Serving(inner.clone(), shard.shard(), "a");
            async move {
                let _serving = serving;
                std::future::pending().await
            }
        };
        let member = ShardMember::new("a");
        shards
            .run(&session, member, std::future::pending(), work)
            .await
    })
}

#[tokio::test(start_paused = true)]
async fn what_does_not_listen_is_dropped_all_the_same_when_it_is_lost() {
    let cluster = Cluster::new(4, Mode::Strict);
    let way = Around::new(&cluster.log);
    let running = run_deaf(&cluster, &way).await;
    until("all is served", || cluster.journal.serving("a") == 4).await;
    way.cut(true);
    until("nothing is", || cluster.journal.serving("a") == 0).await;
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn what_ends_or_panics_before_it_is_asked_to_is_run_again() {
    let cluster = Cluster::new(1, Mode::Strict);
    let (shards, session) = cluster.process("a", &Around::new(&cluster.log)).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let (stop, stopped) = oneshot::channel::<()>();
    let counter = Arc::clone(&begun);
    let running = tokio::spawn(async move {
        let work = move |shard: globe::shards::OwnedShard| {
            let run = counter.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(shard.is_held());
                assert!(run.is_multiple_of(2), "it panics each second time");
            }
        };
        let until = async move { drop(stopped.await) };
        shards
            .run(&session, ShardMember::new("a"), until, work)
            .await
    });
    until("it was run often", || begun.load(Ordering::Relaxed) > 8).await;
    stop.send(()).unwrap();
    timeout(BOUND, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn when_the_session_is_closed_the_run_says_so() {
    let cluster = Cluster::new(4, Mode::Strict);
    let (shards, session) = cluster.process("a", &Around::new(&cluster.log)).await;
    let other = session.clone();
    let seen = shards.clone();
    let running = tokio::spawn(async move {
        let work = |shard: globe::shards::OwnedShard| async move { shard.draining().await };
        shards
            .run(
                &session,
                ShardMember::new("a"),
                std::future::pending(),
                work,
            )
            .await
    });
    until("all is owned", || is_settled(&seen.table(), 1)).await;
    other.close().await.unwrap();
    let error = timeout(BOUND, running).await.unwrap().unwrap().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Closed);
}

/// However long it takes to hand over: nobody else begins beside it.
#[tokio::test(start_paused = true)]
async fn what_hands_over_is_dropped_when_its_member_is_not_sure_any_more() {
    let cluster = Cluster::new(1, Mode::Strict);
    let way = Around::new(&cluster.log);
    let _running = run_deaf(&cluster, &way).await;
    let other = cluster.join("b").await;
    until("it is served", || cluster.journal.serving("a") == 1).await;
    other.shards.pin(0, Some("b")).await.unwrap();
    other
        .wait_for("draining", |table| {
            table.row(0, 0).unwrap().phase == Some(Phase::Drain)
        })
        .await;
    way.cut(true);
    other.settled(1).await;
    until("the other serves it", || cluster.journal.serving("b") == 1).await;
    assert_eq!(cluster.journal.serving("a"), 0);
}
