//! Elections in storms: leaders by `lead` and by hand, and observers on ways as bad as theirs.
//!
//! Never asks the log who leads: those who work say so themselves, all in one moment.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use globe::{Election, Fenced, Leadership, MemoryLog, Observe, Token};
use tokio::time::{Instant, sleep, timeout};

use super::{Process, STORM, faults, heal, processes, storms, watched};
use crate::SECOND;
use crate::rig::{open, until, within};

#[test]
fn in_no_storm_do_two_lead_nor_is_a_former_leader_seen_again_and_after_it_everybody_leads() {
    let led: usize = storms(storm).into_iter().sum();
    assert!(led > 20, "{led} terms: that says nothing");
}

/// Looks at all leaders in one moment.
#[derive(Default)]
struct Judge {
    terms: Mutex<Vec<Weak<Leadership>>>,
    /// Whose work, dropped when its term is unsure, goes on.
    working: Mutex<Vec<Token>>,
    /// The newest term, in the newest life of the log; and how many there were.
    newest: Mutex<(Option<Token>, usize)>,
}

impl Judge {
    fn begin(&self, term: &Arc<Leadership>) {
        let token = term.token();
        let mut newest = self.newest.lock().unwrap();
        if let Some(last) = newest.0.filter(|last| last.epoch == token.epoch) {
            assert!(token.number >= last.number, "{token} began after {last}");
        }
        newest.1 += usize::from(newest.0 != Some(token));
        newest.0 = Some(token);
        drop(newest);
        self.terms.lock().unwrap().push(Arc::downgrade(term));
        self.look();
    }

    fn look(&self) {
        let mut terms = self.terms.lock().unwrap();
        terms.retain(|term| term.strong_count() > 0);
        let terms: Vec<_> = terms.iter().filter_map(Weak::upgrade).collect();
        let held = terms.iter().filter(|term| term.is_held());
        let mut held: Vec<Token> = held.map(|term| term.token()).collect();
        // One is begun anew after each call of its work.
        held.dedup();
        assert!(held.len() <= 1, "they lead at once: {held:?}");
    }
}

/// Work that is going on: no other is.
struct Working(Arc<Judge>, Token);

impl Working {
    fn new(judge: &Arc<Judge>, token: Token) -> Working {
        let mut working = judge.working.lock().unwrap();
        assert!(working.is_empty(), "{token} works beside {working:?}");
        working.push(token);
        Working(Arc::clone(judge), token)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.lock().unwrap().retain(|of| *of != self.1);
    }
}

impl Process {
    fn election(&self) -> Election {
        Election::new(&self.claims, &self.session, "a").unwrap()
    }

    /// Leads, campaigns, drops what it was doing, is cut off, until the storm is over.
    async fn compete(&mut self, judge: &Arc<Judge>, end: Instant) {
        while Instant::now() < end {
            let (bound, working) = (self.time(20_000), self.time(6_000));
            match self.rng.usize(..8) {
                0 => self.cut_off().await,
                1 => drop(timeout(bound / 20, self.election().campaign("in vain")).await),
                2 | 3 => self.campaign(judge, bound, working).await,
                _ => {
                    let led = self.lead(judge, working);
                    let _ = timeout(bound, led).await;
                }
            }
            sleep(self.time(500)).await;
        }
    }

    async fn lead(&self, judge: &Arc<Judge>, working: Duration) -> globe::Result<()> {
        let mut calls = 0;
        let work = |term: Arc<Leadership>| {
            judge.begin(&term);
            let work = Working::new(judge, term.token());
            calls += 1;
            let flow = match calls {
                1 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            };
            async move {
                sleep(working).await;
                drop((work, term));
                flow
            }
        };
        self.election().lead("lead", work).await
    }

    async fn campaign(&mut self, judge: &Arc<Judge>, bound: Duration, working: Duration) {
        let request = self.election().request().value("campaign");
        let Ok(term) = request.wait_at_most(bound).acquire().await else {
            return;
        };
        let term = Arc::new(term);
        judge.begin(&term);
        tokio::select! {
            () = sleep(working) => {}
            _ = term.unsure() => {}
        }
        let _ = timeout(SECOND, term.proclaim("still")).await;
        judge.look();
    }
}

/// In each life of the log the leaders that are shown come one after the other, and no life comes again.
async fn follow(mut observe: Observe, name: String) {
    let mut lives = BTreeSet::new();
    let mut last: Option<Token> = None;
    while let Some(leader) = observe.next().await {
        let Some(token) = leader.map(|leader| leader.token) else {
            continue;
        };
        let goes_on = match last {
            Some(last) if last.epoch == token.epoch => last.number <= token.number,
            _ => lives.insert(token.epoch.to_string()),
        };
        assert!(goes_on, "{name} saw {token} after {last:?}");
        last = Some(token);
    }
}

/// One storm; how many terms there were.
async fn storm(seed: u64) -> usize {
    let log = MemoryLog::new();
    let mut all = processes(&log, seed, 2..=4).await;
    let quiet = Process::new(&log, seed, 99).await;
    let following = |process: &Process| {
        let name = process.session.name().to_owned();
        tokio::spawn(follow(process.election().observe(), name))
    };
    let mut observers: Vec<_> = all.iter().map(following).collect();
    observers.push(following(&quiet));
    let judge = Arc::new(Judge::default());
    for process in &all {
        process.log.set_faults(faults(seed));
    }
    let end = Instant::now() + STORM;
    let lives = all.iter_mut().map(|process| process.compete(&judge, end));
    watched(lives, || judge.look()).await;
    heal(&all);
    judge.look();
    for process in &all {
        within("everybody leads", process.lead(&judge, SECOND))
            .await
            .unwrap();
    }
    let claims: globe::Claims = open(&log, "claims").await;
    until("no claim is left", || claims.is_empty()).await;
    within("all is seen", quiet.claims.sync()).await.unwrap();
    assert!(judge.working.lock().unwrap().is_empty());
    for observer in observers {
        assert!(!observer.is_finished(), "an observer saw what was before");
        observer.abort();
    }
    let newest = judge.newest.lock().unwrap();
    newest.1
}
