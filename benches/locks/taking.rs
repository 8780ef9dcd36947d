//! A lock that nobody else wants, beside guarded writes of as many bytes.
//!
//! Each kind is measured in blocks of its own, in another order each time: none profits from the one before it.

use etcd_client::{Client, Compare, CompareOp, PutOptions, Txn, TxnOp};
use globe::{EtcdLog, Globe, Lock, Session};
use globe_bench::{Done, Target, Turns, report, rounds};
use tokio::time::{Duration, Instant};

use crate::rival::Rival;

/// How many blocks of each kind, and how much is measured in each, after as much that is not.
const BLOCKS: usize = 30;
const MEASURED: usize = 50;
const WARM_UP: usize = 10;

/// Of the lease made by hand, in seconds.
const TTL: i64 = 60;

/// What a claim is, in its key and its value.
const KEY: &str = "lock/invoices/0123456789abcdef-";
const RECORD: &str = r#"{"by":"bench-7/4711","mode":"write","weight":1}"#;

/// What is measured, each until it is answered and, where a map is, visible there.
#[derive(Clone, Copy)]
enum Kind {
    Acquire,
    /// A record that is created where none stands.
    Create,
    /// The same under the lease of a session.
    CreateEphemeral,
    /// The same transaction by hand.
    Bare,
    BareUnderLease,
}

use Kind::{Acquire, Bare, BareUnderLease, Create, CreateEphemeral};

const KINDS: [Kind; 5] = [Acquire, Create, CreateEphemeral, Bare, BareUnderLease];

/// Everything that is measured, each with a way of its own to the server.
struct Peers {
    /// Kept for its session, which the lock stands on.
    rival: Rival,
    lock: Lock,
    records: Globe<String, String>,
    /// The session is of the same log as the records.
    session: Session,
    client: Client,
    lease: i64,
}

pub(crate) async fn compare(endpoint: &str) -> Done {
    let rival = Rival::new(endpoint).await?;
    let log = EtcdLog::connect([endpoint]).await?;
    let mut client = Client::connect([endpoint], None).await?;
    let mut peers = Peers {
        lock: rival.lock()?,
        rival,
        records: Globe::open(log.clone(), "records").await?,
        session: Session::open(log).await?,
        lease: client.lease_grant(TTL, None).await?.id(),
        client,
    };
    let mut took: [Vec<Duration>; KINDS.len()] = Default::default();
    for block in 0..rounds(BLOCKS) {
        for turn in 0..KINDS.len() {
            let kind = (block + turn) % KINDS.len();
            for number in 0..WARM_UP + MEASURED {
                let once = peers.take(KINDS[kind], number).await?;
                if number >= WARM_UP {
                    took[kind].push(once);
                }
            }
        }
    }
    peers.rival.session.close().await?;
    peers.session.close().await?;
    peers.client.lease_revoke(peers.lease).await?;
    let rows = [
        (
            "`acquire` of a lock that nobody holds, beside `create` of a record as large",
            (Acquire, Create),
            Target::Times(1.1),
        ),
        (
            "the same, beside `create_ephemeral` of it",
            (Acquire, CreateEphemeral),
            Target::Times(1.1),
        ),
        (
            "a guarded put under a lease by hand, beside one without",
            (BareUnderLease, Bare),
            Target::None,
        ),
    ];
    for (figure, (ours, peer), target) in rows {
        let mut turns = Turns::default();
        let pairs = took[ours as usize].iter().zip(&took[peer as usize]);
        pairs.for_each(|(ours, peer)| turns.push(*ours, *peer));
        report(figure, &turns, target);
    }
    Ok(())
}

impl Peers {
    /// Does it once, and takes it back; how long the first took.
    async fn take(&mut self, kind: Kind, number: usize) -> Done<Duration> {
        let (key, begun) = (format!("{KEY}{number}"), Instant::now());
        Ok(match kind {
            Acquire => {
                let guard = self.lock.acquire().await?;
                let took = begun.elapsed();
                guard.release().await?;
                took
            }
            Create | CreateEphemeral => {
                let record = RECORD.to_owned();
                if matches!(kind, Create) {
                    self.records.create(key.as_str(), record).await?;
                } else {
                    let created =
                        self.records
                            .create_ephemeral(&self.session, key.as_str(), record);
                    created.await?;
                }
                let took = begun.elapsed();
                self.records.delete(key.as_str()).await?;
                took
            }
            Bare | BareUnderLease => {
                let key = format!("raw/{key}");
                let lease = matches!(kind, BareUnderLease).then_some(self.lease);
                let options = lease.map(|lease| PutOptions::new().with_lease(lease));
                let put = Txn::new()
                    .when([Compare::version(key.as_str(), CompareOp::Equal, 0)])
                    .and_then([TxnOp::put(key.as_str(), RECORD, options)]);
                self.client.txn(put).await?;
                let took = begun.elapsed();
                self.client.delete(key.as_str(), None).await?;
                took
            }
        })
    }
}
