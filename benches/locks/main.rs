//! What locks cost on a real etcd, each figure beside what etcd has of its own, or a guarded write: prints rows of a Markdown
//! table.
//!
//! It starts a server of its own, and leaves none behind.

use etcd_client::{Client, LockOptions};
use globe::{Claims, EtcdLog, Globe, Lock, Session};
use globe_bench::{Done, Target, Turns, report};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::Runtime;
use tokio::time::{Duration, Instant};

/// How often a lock is taken, in blocks of so many, of which the first are not measured.
const BLOCKS: usize = 20;
const LOCKS: usize = 50;
const WARM_UP: usize = 10;

/// How often one is handed over.
const HAND_OVERS: usize = 300;

/// Of the leases made by hand, in seconds.
const TTL: i64 = 60;

/// A process that wants the lock.
struct Rival {
    claims: Claims,
    session: Session,
}

impl Rival {
    async fn new(endpoint: &str) -> Done<Rival> {
        let log = EtcdLog::connect([endpoint]).await?;
        Ok(Rival {
            claims: Globe::open(log.clone(), "claims").await?,
            session: Session::open(log).await?,
        })
    }

    fn lock(&self) -> globe::Result<Lock> {
        Lock::new(&self.claims, &self.session, "invoices")
    }
}

fn main() -> Done {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let server = EtcdServer::start(EtcdVersion::Reference).await;
        let endpoint = server.endpoint();
        taking(&endpoint).await?;
        handing_over(&endpoint).await
    })
}

/// A lock that nobody else wants, beside a record that is created where none stands; in blocks.
async fn taking(endpoint: &str) -> Done {
    let rival = Rival::new(endpoint).await?;
    let lock = rival.lock()?;
    let records: Globe<String, u64> =
        Globe::open(EtcdLog::connect([endpoint]).await?, "records").await?;
    let mut turns = Turns::default();
    for block in 0..BLOCKS {
        let (mut ours, mut peer) = (Vec::new(), Vec::new());
        for turn in 0..2 {
            let is_lock = (block + turn) % 2 == 0;
            for number in 0..WARM_UP + LOCKS {
                let begun = Instant::now();
                if is_lock {
                    let guard = lock.acquire().await?;
                    ours.push(begun.elapsed());
                    guard.release().await?;
                } else {
                    records.create(format!("{number}"), 1).await?;
                    peer.push(begun.elapsed());
                    records.delete(format!("{number}")).await?;
                }
            }
        }
        for (ours, peer) in ours.into_iter().zip(peer).skip(WARM_UP) {
            turns.push(ours, peer);
        }
    }
    rival.session.close().await?;
    report(
        "`acquire` of a lock that nobody holds, beside `create`",
        &turns,
        Target::Times(1.1),
    );
    Ok(())
}

/// From the release of a lock until who waited has it, beside etcd's own lock on the same server.
async fn handing_over(endpoint: &str) -> Done {
    let rivals = [Rival::new(endpoint).await?, Rival::new(endpoint).await?];
    let (mut turns, mut held) = (Turns::default(), rivals[0].lock()?.acquire().await?);
    let mut clients = [
        Client::connect([endpoint], None).await?,
        Client::connect([endpoint], None).await?,
    ];
    let mut leases = Vec::new();
    for client in &mut clients {
        leases.push(client.lease_grant(TTL, None).await?.id());
    }
    let mut key = clients[0]
        .lock("raw", with(leases[0]))
        .await?
        .key()
        .to_vec();
    for round in 0..HAND_OVERS {
        let (holder, waiter) = (round % 2, (round + 1) % 2);
        let lock = rivals[waiter].lock()?;
        let waiting = tokio::spawn(async move { (lock.acquire().await, Instant::now()) });
        rivals[holder]
            .claims
            .wait_for(|view| view.len() == 2)
            .await?;
        let begun = Instant::now();
        held.release().await?;
        let (next, had) = waiting.await?;
        held = next?;
        let ours = had - begun;

        let (mut client, lease) = (clients[waiter].clone(), leases[waiter]);
        let waiting =
            tokio::spawn(async move { (client.lock("raw", with(lease)).await, Instant::now()) });
        // It has to stand in the queue: there is nothing to see that by but the time.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let begun = Instant::now();
        clients[holder].unlock(key).await?;
        let (next, had) = waiting.await?;
        key = next?.key().to_vec();
        turns.push(ours, had - begun);
    }
    drop(held);
    let figure = "release of a lock until who waited has it, beside the lock of etcd's own";
    report(figure, &turns, Target::Under(2_000_000.0));
    Ok(())
}

fn with(lease: i64) -> Option<LockOptions> {
    Some(LockOptions::new().with_lease(lease))
}
