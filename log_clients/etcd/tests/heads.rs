//! The head is the same for all keyspaces, so that few reads answer many who ask.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::cell::Cell;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use globe_log_client::{ErrorKind, Keyspace, LogClient, Position};
use globe_test_support::{Act, EtcdServer, EtcdVersion, Gateway, Rule, wait_until};
use rig::{BOUND, as_narrow, connect, flags, put, received, within};
use tokio::sync::watch;

/// Long enough for any answer of a test to be recent.
const RECENT: Duration = Duration::from_secs(600);

/// What reads the head.
const TXN: &str = "/etcdserverpb.KV/Txn";

fn keyspaces(count: usize) -> Vec<Keyspace> {
    let names = (0..count).map(|number| format!("map-{number}"));
    names.map(|name| Keyspace::new(name).unwrap()).collect()
}

/// How often the server was asked: reads of the head are transactions.
async fn asked(server: &EtcdServer) -> f64 {
    received(server, "Txn").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_asked_for_together_take_few_reads() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let written = put(&log, "key", "1").await;
    let before = asked(&server).await;
    let keyspaces = keyspaces(64);
    let heads = join_all(keyspaces.iter().map(|keyspace| log.head(keyspace)));
    for head in within("64 heads", heads).await {
        assert!(head.unwrap().covers(written));
    }
    let reads = asked(&server).await - before;
    assert!((1.0..=4.0).contains(&reads), "{reads} reads for 64 heads");
}

/// They are counted at a gateway, which hands each on so late that all are on their way at once that ever will be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_who_ask_at_once_three_questions_are_on_their_way_at_most() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let address = ([127, 0, 0, 1], server.port()).into();
    let gateway = Gateway::start(address).await;
    let log = connect([gateway.endpoint()]).await;
    let written = put(&log, "key", "1").await;
    gateway.add(Rule::new(TXN, Act::Delay(Duration::from_secs(2))));
    let delivered = gateway.delivered(TXN);
    let on_their_way = || gateway.broken_at(TXN) + delivered - gateway.delivered(TXN);
    let half = || {
        let log = log.clone();
        tokio::spawn(async move {
            let keyspace = flags();
            join_all((0..5_000).map(|_| log.head(&keyspace))).await
        })
    };
    let first = half();
    wait_until("a question", BOUND, async || on_their_way() > 0).await;
    let second = half();
    let most = Cell::new(0);
    wait_until("all heads", BOUND, async || {
        most.set(most.get().max(on_their_way()));
        first.is_finished() && second.is_finished()
    })
    .await;
    for half in [first, second] {
        let mut heads = half.await.unwrap().into_iter();
        assert!(heads.all(|head| head.unwrap().covers(written)));
    }
    let (most, sent) = (most.get(), gateway.broken_at(TXN));
    assert!(most <= 3, "{most} were on their way");
    assert!(sent <= 4, "{sent} in all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recent_heads_of_many_keyspaces_take_one_read() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let written = put(&log, "key", "1").await;
    let before = asked(&server).await;
    for keyspace in keyspaces(50) {
        let recent = log.recent_head(&keyspace, RECENT).await.unwrap();
        assert!(recent.position.covers(written) && recent.age < RECENT);
    }
    assert!(asked(&server).await - before <= 1.0, "it was asked again");
    let later = put(&log, "key", "2").await;
    let recent = log.recent_head(&flags(), Duration::ZERO).await.unwrap();
    assert!(recent.position.covers(later), "no age, no old answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_head_is_never_older_than_the_call() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let writer = connect([server.endpoint()]).await;
    let first = put(&writer, "key", "0").await;
    let (acknowledged, seen) = watch::channel(first);
    let readers = keyspaces(16).into_iter().map(|keyspace| {
        let (log, seen) = (log.clone(), seen.clone());
        tokio::spawn(async move {
            let mut reads = 0;
            // The last round begins when the writer has ended.
            while seen.has_changed().is_ok() {
                let before: Position = *seen.borrow();
                let head = log.head(&keyspace).await.unwrap();
                assert!(head.covers(before), "{head} was asked for before {before}");
                reads += 1;
            }
            reads
        })
    });
    let readers: Vec<_> = readers.collect();
    for number in 0..300 {
        let position = put(&writer, "key", &number.to_string()).await;
        acknowledged.send_replace(position);
    }
    drop(acknowledged);
    for reader in within("the readers", join_all(readers)).await {
        assert!(reader.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_in_one_keyspace_is_no_answer_for_another() {
    let server = rig::guarded(EtcdServer::builder(EtcdVersion::Reference)).await;
    let log = as_narrow(server.endpoint()).connect().await.unwrap();
    let forbidden = Keyspace::new("forbidden").unwrap();
    let allowed = flags();
    log.head(&allowed).await.unwrap();
    for _ in 0..20 {
        let asks = [&forbidden, &allowed, &forbidden, &allowed, &allowed];
        let heads = asks.map(|keyspace| log.head(keyspace));
        let heads = within("the heads", join_all(heads)).await;
        for (keyspace, head) in asks.into_iter().zip(heads) {
            match head {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(keyspace, &forbidden, "{error}");
                    assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_nobody_polls_holds_up_no_other() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let written = put(&log, "key", "1").await;
    let keyspace = flags();
    let mut sleeper = Box::pin(log.recent_head(&keyspace, Duration::ZERO));
    assert!((&mut sleeper).now_or_never().is_none());
    let head = within("a head", log.head(&keyspace)).await.unwrap();
    let recent = within("a recent head", log.recent_head(&keyspace, RECENT)).await;
    assert!(head.covers(written) && recent.unwrap().position.covers(written));
    within("the first", sleeper).await.unwrap();
}
