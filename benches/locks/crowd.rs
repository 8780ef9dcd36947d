//! A lock that a thousand wait for: from its release until the next of them has it, beside one that only one waits for.
//!
//! It never reports a time if more than one was woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use globe::{LockGuard, Result};
use globe_bench::{Done, Target, Turns, report, rounds};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Duration, Instant};

use crate::rival::Rival;

/// How many wait, of how many sessions of this process.
const WAITERS: usize = 1_000;
const SESSIONS: usize = 10;

/// How often the lock is released.
const RELEASES: usize = 50;

/// Those who wait, and who of them has it.
struct Crowd {
    rivals: Vec<Rival>,
    woken: Arc<AtomicUsize>,
    had: UnboundedReceiver<(Result<LockGuard>, Instant)>,
}

pub(crate) async fn measure(endpoint: &str) -> Done {
    let alone = release_often(Crowd::gather(endpoint, 2, RELEASES + 1).await?).await?;
    let many = release_often(Crowd::gather(endpoint, SESSIONS, WAITERS).await?).await?;
    let mut turns = Turns::default();
    let pairs = many.into_iter().zip(alone);
    pairs.for_each(|(many, alone)| turns.push(many, alone));
    let figure = format!(
        "release of a lock that {WAITERS} wait for, of {SESSIONS} sessions, until the next has it, and nobody else, beside one that {RELEASES} of 2 sessions wait for"
    );
    report(&figure, &turns, Target::None);
    Ok(())
}

async fn release_often(mut crowd: Crowd) -> Done<Vec<Duration>> {
    let mut took = Vec::new();
    let (mut held, _) = crowd.next().await?;
    for release in 1..=rounds(RELEASES) {
        let begun = Instant::now();
        held.release().await?;
        let (next, had) = crowd.next().await?;
        held = next;
        took.push(had - begun);
        // All have seen what was to be seen.
        for rival in &crowd.rivals {
            rival.claims.sync().await?;
        }
        let woken = crowd.woken.load(Ordering::SeqCst);
        if woken != release + 1 {
            return Err(format!("{release} releases woke {woken}").into());
        }
    }
    for rival in &crowd.rivals {
        rival.session.close().await?;
    }
    Ok(took)
}

impl Crowd {
    async fn gather(endpoint: &str, sessions: usize, waiters: usize) -> Done<Crowd> {
        let woken = Arc::new(AtomicUsize::new(0));
        let (sender, had) = unbounded_channel();
        let mut rivals = Vec::new();
        for _ in 0..sessions {
            rivals.push(Rival::new(endpoint).await?);
        }
        for waiter in 0..waiters {
            let lock = rivals[waiter % sessions].lock()?;
            let (sender, woken) = (sender.clone(), Arc::clone(&woken));
            tokio::spawn(async move {
                let guard = lock.acquire().await;
                let had = Instant::now();
                // Who is left at the end is told that its session is closed.
                if guard.is_ok() {
                    woken.fetch_add(1, Ordering::SeqCst);
                }
                let _ = sender.send((guard, had));
            });
        }
        for rival in &rivals {
            rival.counts(waiters).await?;
        }
        Ok(Crowd { rivals, woken, had })
    }

    async fn next(&mut self) -> Done<(LockGuard, Instant)> {
        let (guard, had) = self.had.recv().await.ok_or("nobody waits any more")?;
        Ok((guard?, had))
    }
}
