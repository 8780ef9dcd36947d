//! From the release of a lock until who waited has it, beside etcd's own lock on the same server, and beside two round trips.
//!
//! etcd's own lock watches the claim before it from the revision of its last look, and etcd serves a watch of what has been
//! only at its next look at such watches, each 100 ms. So its waiters are given that time before the lock is released; the
//! last row is without.

use etcd_client::{Client, LockOptions};
use globe::LockGuard;
use globe_bench::{Done, Target, Turns, report, rounds};
use tokio::time::{Duration, Instant, sleep};

use crate::rival::Rival;

/// How often a lock is handed over.
const HAND_OVERS: usize = 100;

/// How long who waits has waited: longer than it takes etcd's own lock to hear of changes at once, and shorter.
const LONG: Duration = Duration::from_millis(250);
const SHORT: Duration = Duration::from_millis(20);

/// Of the leases made by hand, in seconds.
const TTL: i64 = 300;

/// Two processes, each with a lease of its own for the lock of etcd.
struct Two {
    rivals: [Rival; 2],
    held: Option<LockGuard>,
    clients: [Client; 2],
    leases: [i64; 2],
    /// Of the claim that holds etcd's own lock.
    key: Vec<u8>,
}

pub(crate) async fn compare(endpoint: &str) -> Done {
    let mut two = Two::new(endpoint).await?;
    let (mut trips, mut after_long, mut after_short) =
        (Turns::default(), Turns::default(), Turns::default());
    for _ in 0..rounds(HAND_OVERS) {
        let ours = two.ours(0, LONG).await?;
        trips.push(ours, two.two_round_trips().await?);
        after_long.push(ours, two.of_etcd(0, LONG).await?);
        let ours = two.ours(1, SHORT).await?;
        after_short.push(ours, two.of_etcd(1, SHORT).await?);
    }
    two.held = None;
    let figure = "release of a lock until who waited has it, beside two puts of etcd-client";
    report(figure, &trips, Target::Over(1e6));
    let figure = "the same, beside the lock of etcd's own, of which somebody waits for 250 ms";
    report(figure, &after_long, Target::None);
    let figure = "the same, where somebody waits for 20 ms";
    report(figure, &after_short, Target::None);
    Ok(())
}

impl Two {
    async fn new(endpoint: &str) -> Done<Two> {
        let rivals = [Rival::new(endpoint).await?, Rival::new(endpoint).await?];
        let mut clients = [
            Client::connect([endpoint], None).await?,
            Client::connect([endpoint], None).await?,
        ];
        let mut leases = [0; 2];
        for (client, lease) in clients.iter_mut().zip(&mut leases) {
            *lease = client.lease_grant(TTL, None).await?.id();
        }
        let first = clients[0].lock("raw", with(leases[0])).await?;
        Ok(Two {
            held: Some(rivals[0].lock()?.acquire().await?),
            rivals,
            key: first.key().to_vec(),
            clients,
            leases,
        })
    }

    /// The lock goes from its holder to the other, who has waited for so long.
    async fn ours(&mut self, holder: usize, waited: Duration) -> Done<Duration> {
        let waiter = 1 - holder;
        let lock = self.rivals[waiter].lock()?;
        let waiting = tokio::spawn(async move { (lock.acquire().await, Instant::now()) });
        self.rivals[holder].counts(2).await?;
        sleep(waited).await;
        let begun = Instant::now();
        if let Some(held) = self.held.take() {
            held.release().await?;
        }
        let (next, had) = waiting.await?;
        self.held = Some(next?);
        Ok(had - begun)
    }

    /// The same with the lock of etcd's own.
    async fn of_etcd(&mut self, holder: usize, waited: Duration) -> Done<Duration> {
        let waiter = 1 - holder;
        let (mut client, lease) = (self.clients[waiter].clone(), self.leases[waiter]);
        let waiting =
            tokio::spawn(async move { (client.lock("raw", with(lease)).await, Instant::now()) });
        // It has to stand in the queue: there is nothing to see that by but the time.
        sleep(waited).await;
        let begun = Instant::now();
        let key = std::mem::take(&mut self.key);
        self.clients[holder].unlock(key).await?;
        let (next, had) = waiting.await?;
        self.key = next?.key().to_vec();
        Ok(had - begun)
    }

    /// After a rest as long: a machine that has rested takes longer for whatever comes first.
    async fn two_round_trips(&mut self) -> Done<Duration> {
        sleep(LONG).await;
        let begun = Instant::now();
        for _ in 0..2 {
            self.clients[0].put("trip", "1", None).await?;
        }
        Ok(begun.elapsed())
    }
}

fn with(lease: i64) -> Option<LockOptions> {
    Some(LockOptions::new().with_lease(lease))
}
