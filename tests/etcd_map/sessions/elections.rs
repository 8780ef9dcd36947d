//! Elections on a real server: leaders that resign, are killed or stopped, and an outage in which nobody changes.
//!
//! Never takes a leader's word for what it wrote, nor for who leads: a third process observes.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use globe::{Election, ErrorKind, Fenced, Holder, Leadership, SessionState};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::SHORT;
use super::processes::{LATE, signal, starts};
use super::rival::Rival;
use crate::node::{BOUND, TOLD, within};

/// Another process, which only looks on: who led, as it was shown.
struct Observer {
    rival: Rival,
    seen: Arc<Mutex<Vec<Holder>>>,
    looking: JoinHandle<()>,
}

impl Observer {
    async fn new(server: &EtcdServer) -> Observer {
        let rival = Rival::new(&server.url()).await;
        let seen: Arc<Mutex<Vec<Holder>>> = Arc::default();
        let (mut observe, shown) = (rival.election().observe(), Arc::clone(&seen));
        let looking = tokio::spawn(async move {
            while let Some(leader) = observe.next().await {
                shown.lock().unwrap().extend(leader);
            }
        });
        Observer {
            rival,
            seen,
            looking,
        }
    }

    /// The numbers of the terms it was shown: they only grow.
    fn terms(&self) -> Vec<u64> {
        assert!(!self.looking.is_finished());
        let seen = self.seen.lock().unwrap();
        let mut terms: Vec<u64> = seen.iter().map(|leader| leader.token.number).collect();
        assert!(terms.is_sorted(), "{terms:?}");
        terms.dedup();
        terms
    }

    /// Waits until it is shown a term.
    async fn sees(&self, term: u64) {
        wait_until(&format!("the term {term} is seen"), BOUND, || async {
            self.terms().contains(&term)
        })
        .await;
    }
}

fn campaigns(election: Election) -> JoinHandle<globe::Result<Leadership>> {
    tokio::spawn(async move { election.campaign("next").await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_resigns_hands_over_and_an_observer_sees_one_leader_after_another() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let server = EtcdServer::start(version).await;
        let observer = Observer::new(&server).await;
        let rivals = [
            Rival::new(&server.url()).await,
            Rival::new(&server.url()).await,
        ];
        let campaign = rivals[0].election();
        let mut term = within("it leads", campaign.campaign("h0")).await.unwrap();
        let mut terms = vec![term.token().number];
        for round in 1..6_usize {
            let next = campaigns(rivals[round % 2].election());
            observer.rival.counts(2).await;
            assert!(!next.is_finished());
            let value = format!("h{round}");
            within("it is told", term.proclaim(value.as_str()))
                .await
                .unwrap();
            observer.sees(term.token().number).await;
            wait_until("what is told is seen", BOUND, || async {
                let leader = observer.rival.election().leader();
                leader.is_some_and(|leader| leader.value == value.as_str())
            })
            .await;
            within("it resigns", term.resign()).await.unwrap();
            term = within("the next leads", next).await.unwrap().unwrap();
            terms.push(term.token().number);
            observer.sees(term.token().number).await;
        }
        assert_eq!(observer.terms(), terms);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_leader_is_killed_the_next_leads_after_its_ttl() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let server = EtcdServer::start(version).await;
        let observer = Observer::new(&server).await;
        let other = Rival::new(&server.url()).await;
        let mut process = starts("sessions::elections::who_leads", &server);
        let term = other.reads("led").await;
        let next = campaigns(other.election());
        other.counts(2).await;
        observer.sees(term).await;
        process.kill().await.unwrap();
        let killed = Instant::now();
        let next = within("the next leads", next).await.unwrap().unwrap();
        assert!(killed.elapsed() < SHORT + LATE, "{:?}", killed.elapsed());
        assert!(next.is_held());
        observer.sees(next.token().number).await;
        assert_eq!(observer.terms(), [term, next.token().number]);
    }
}

/// What it began and cannot stop writes late, and is refused; its work was dropped; when nobody leads it does, in another term.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_beyond_its_ttl_writes_nothing_stops_its_work_and_campaigns_again()
 {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let observer = Observer::new(&server).await;
    let other = Rival::new(&server.url()).await;
    let process = starts("sessions::elections::who_leads", &server);
    let first = other.reads("led").await;
    signal(&process, "STOP");
    let election = other.election();
    let next = within("the next leads", election.campaign("next"));
    let next = next.await.unwrap();
    let own = other.state.transact(|txn| {
        txn.require(&next)?;
        txn.put(&other.state, "led", next.token().number)
    });
    within("it writes", own).await.unwrap();
    signal(&process, "CONT");
    assert_eq!(other.reads("refused").await, first);
    assert_eq!(other.reads("stopped").await, first);
    let led = other.state.get("led");
    assert_eq!(led.as_deref(), Some(&next.token().number));
    assert!(next.is_held());
    // It stands in the queue again.
    observer.rival.counts(2).await;
    within("it resigns", next.resign()).await.unwrap();
    wait_until("it leads again", BOUND, || async {
        observer.terms().len() == 3
    })
    .await;
    let last = observer.terms()[2];
    wait_until("and writes", BOUND, || async {
        other.state.get("led").as_deref() == Some(&last)
    })
    .await;
}

/// Leads, and works as long as it does. What it has begun goes on beside that, as work that blocks a thread would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of tests here, which run it in a process of its own"]
async fn who_leads() {
    struct Working(u64, tokio::sync::mpsc::UnboundedSender<u64>);
    impl Drop for Working {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }
    let url = std::env::var(TOLD).unwrap();
    let rival = Rival::new(&url).await;
    let (sender, mut stopped) = unbounded_channel();
    let state = rival.state.clone();
    tokio::spawn(async move {
        while let Some(term) = stopped.recv().await {
            state.put("stopped", term).await.unwrap();
        }
    });
    let election = rival.election();
    let led = election.lead("process", |term| {
        let working = Working(term.token().number, sender.clone());
        tokio::spawn(writes_until_it_is_refused(rival.state.clone(), term));
        async move {
            std::future::pending::<()>().await;
            drop(working);
            ControlFlow::Break(())
        }
    });
    led.await.unwrap();
}

async fn writes_until_it_is_refused(state: globe::Globe<String, u64>, term: Arc<Leadership>) {
    let number = term.token().number;
    loop {
        let written = state.transact(|txn| {
            txn.require(&*term)?;
            txn.put(&state, "led", number)
        });
        match written.await {
            Err(error) if *error.kind() == ErrorKind::NotHeld => break,
            _ => sleep(SHORT / 30).await,
        }
    }
    state.put("refused", number).await.unwrap();
}

/// etcd starts each lease again in full when it has been away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_outage_of_two_ttls_nobody_else_leads_and_the_term_goes_on() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let observer = Observer::new(&server).await;
    let (one, other) = (
        Rival::new(&server.url()).await,
        Rival::new(&server.url()).await,
    );
    let term = within("it leads", one.election().campaign("one"))
        .await
        .unwrap();
    let next = campaigns(other.election());
    other.counts(2).await;
    // A claim whose commit was not answered would be made anew.
    other.is_answered().await;
    let (token, before) = (term.token(), other.keys());
    observer.sees(token.number).await;
    server.kill();
    let killed = Instant::now();
    let unsure = within("it stops", term.unsure()).await;
    assert_eq!(unsure, SessionState::Suspended);
    sleep_until(killed + 2 * SHORT).await;
    assert!(!term.is_held());
    server.restart().await;
    within("it goes on", term.resumed()).await.unwrap();
    assert_eq!(term.token(), token);
    for rival in [&one, &other, &observer.rival] {
        within("all was seen", rival.claims.sync()).await.unwrap();
        assert_eq!(rival.keys(), before);
    }
    assert!(!next.is_finished());
    assert_eq!(observer.terms(), [token.number]);
    within("it resigns", term.resign()).await.unwrap();
    let next = within("the next leads", next).await.unwrap().unwrap();
    observer.sees(next.token().number).await;
    assert_eq!(observer.terms(), [token.number, next.token().number]);
}
