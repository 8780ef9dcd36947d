//! What sessions cost on a real etcd, each figure beside a bare `etcd-client`, or a write that needs no session: prints rows of
//! a Markdown table.
//!
//! It starts a server of its own, and itself once more as the other process; it leaves neither behind.

use std::sync::Arc;

use etcd_client::{Client, PutOptions, Txn, TxnOp};
use globe::{EtcdLog, Globe, Session, SessionEvent};
use globe_bench::{Done, Onlooker, Target, Turns, key, report, rounds};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout};

/// How often a session is closed.
const CLOSES: usize = 200;

/// How many writes of a kind follow each other, how many before them are not measured, and how often that is done.
const WRITES: usize = 100;
const WARM_UP: usize = 10;
const BLOCKS: usize = 20;

/// How many entries are put back, and how often.
const ENTRIES: usize = 10_000;
const LOSSES: usize = 5;

/// How they are written by hand: as many in a transaction as etcd takes, as many under a lease as are good for it, as many
/// transactions at a time as Globe has under way.
const OPERATIONS: usize = 128;
const PER_LEASE: usize = 512;
const AT_A_TIME: usize = 8;

/// How long they may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Of the leases made by hand, in seconds.
const TTL: i64 = 60;

type Numbers = Globe<String, u64>;

fn main() -> Done {
    let runtime = Runtime::new()?;
    if let Some(looking_on) = globe_bench::looks_on(&runtime) {
        return looking_on;
    }
    let server = runtime.block_on(EtcdServer::start(EtcdVersion::Reference));
    let endpoint = server.endpoint();
    closing(&runtime, &endpoint)?;
    runtime.block_on(writing(&endpoint))?;
    runtime.block_on(losing(&endpoint))
}

/// From the call of a close until another process has seen the entry go.
fn closing(runtime: &Runtime, endpoint: &str) -> Done {
    let onlooker = Onlooker::start(endpoint)?;
    let log = runtime.block_on(EtcdLog::connect([endpoint]))?;
    let map: Numbers = runtime.block_on(Globe::open(log.clone(), "latency"))?;
    let mut client = runtime.block_on(Client::connect([endpoint], None))?;
    let mut turns = Turns::default();
    for _ in 0..rounds(CLOSES) {
        let session = runtime.block_on(Session::open(log.clone()))?;
        runtime.block_on(map.put_ephemeral(&session, "closed", 1))?;
        onlooker.saw("globe closed=1")?;
        let begun = Instant::now();
        runtime.block_on(session.close())?;
        let ours = onlooker.saw("globe closed")? - begun;

        let lease = runtime.block_on(client.lease_grant(TTL, None))?.id();
        let leased = PutOptions::new().with_lease(lease);
        runtime.block_on(client.put("raw/closed", "1", Some(leased)))?;
        onlooker.saw("raw closed=1")?;
        let begun = Instant::now();
        runtime.block_on(client.lease_revoke(lease))?;
        turns.push(ours, onlooker.saw("raw closed")? - begun);
    }
    let figure = "`close` of a session until another process's map shows it, beside a lease that etcd-client revokes under its watch";
    report(figure, &turns, Target::Under(50_000_000.0));
    Ok(())
}

/// A write under a session, beside the same one without, each until it is visible here; in blocks.
async fn writing(endpoint: &str) -> Done {
    let log = EtcdLog::connect([endpoint]).await?;
    let map: Numbers = Globe::open(log.clone(), "writing").await?;
    let session = Session::open(log).await?;
    let mut turns = Turns::default();
    for block in 0..rounds(BLOCKS) {
        let (mut ours, mut peer) = (Vec::new(), Vec::new());
        for turn in 0..2 {
            let is_ephemeral = (block + turn) % 2 == 0;
            let took = if is_ephemeral { &mut ours } else { &mut peer };
            for number in 0..WARM_UP + WRITES {
                let (key, value) = (key(number), number as u64);
                let begun = Instant::now();
                if is_ephemeral {
                    map.put_ephemeral(&session, format!("ephemeral/{key}"), value)
                        .await?;
                } else {
                    map.put(key, value).await?;
                }
                if number >= WARM_UP {
                    took.push(begun.elapsed());
                }
            }
        }
        for (ours, peer) in ours.into_iter().zip(peer) {
            turns.push(ours, peer);
        }
    }
    session.close().await?;
    report("`put_ephemeral`, beside `put`", &turns, Target::Times(1.2));
    Ok(())
}

/// From the revocation of one of many leases until all entries are under others, beside as many puts under as many leases
/// by hand.
async fn losing(endpoint: &str) -> Done {
    let log = EtcdLog::connect([endpoint]).await?;
    let map: Numbers = Globe::open(log.clone(), "losing").await?;
    let session = Session::open(log).await?;
    fill(&map, &session).await?;
    let mut client = Client::connect([endpoint], None).await?;
    let mut turns = Turns::default();
    for _ in 0..rounds(LOSSES) {
        let entry = map.get_entry(key(0).as_str()).ok_or("it is not there")?;
        let lease = entry.lease().ok_or("it is under no lease")?;
        let mut events = session.events();
        let begun = Instant::now();
        client.lease_revoke(lease.get().cast_signed()).await?;
        let back = timeout(PATIENCE, restored(&mut events)).await??;
        let ours = begun.elapsed();
        map.sync().await?;
        if back != ENTRIES || map.len() != ENTRIES {
            return Err(format!("{back} entries are back, and {} there", map.len()).into());
        }
        turns.push(ours, put_by_hand(&client).await?);
    }
    session.close().await?;
    let figure = format!(
        "one of the leases of {ENTRIES} entries revoked until all are back, beside etcd-client putting as many"
    );
    report(&figure, &turns, Target::Under(5e9));
    Ok(())
}

async fn fill(map: &Numbers, session: &Session) -> Done {
    let numbers: Vec<usize> = (0..ENTRIES).collect();
    for numbers in numbers.chunks(100) {
        let put = |txn: &mut globe::Txn<'_>| {
            for number in numbers {
                txn.put_ephemeral(map, session, key(*number), *number as u64)?;
            }
            Ok(())
        };
        map.transact(put).await?;
    }
    Ok(())
}

/// How many entries are back, once they are.
async fn restored(events: &mut globe::SessionEvents) -> Done<usize> {
    while let Some(event) = events.next().await {
        if let SessionEvent::Restored { put_back, .. } = event {
            return Ok(put_back);
        }
    }
    Err("the session ended".into())
}

/// How long it takes to put as many keys under new leases, in full transactions, several at a time.
async fn put_by_hand(client: &Client) -> Done<Duration> {
    let begun = Instant::now();
    let mut leases = Vec::new();
    let mut granting = client.clone();
    while leases.len() * PER_LEASE < ENTRIES {
        leases.push(granting.lease_grant(TTL, None).await?.id());
    }
    let leases = Arc::new(leases);
    let mut putting = JoinSet::new();
    let numbers: Vec<usize> = (0..ENTRIES).collect();
    for numbers in numbers.chunks(OPERATIONS) {
        if putting.len() >= AT_A_TIME
            && let Some(put) = putting.join_next().await
        {
            put??;
        }
        let puts: Vec<TxnOp> = numbers.iter().map(|number| put(*number, &leases)).collect();
        let mut client = client.clone();
        putting.spawn(async move { client.txn(Txn::new().and_then(puts)).await.map(drop) });
    }
    while let Some(put) = putting.join_next().await {
        put??;
    }
    let took = begun.elapsed();
    for lease in leases.iter() {
        granting.lease_revoke(*lease).await?;
    }
    Ok(took)
}

fn put(number: usize, leases: &[i64]) -> TxnOp {
    let leased = PutOptions::new().with_lease(leases[number / PER_LEASE]);
    let name = format!("raw/losing/{}", key(number));
    TxnOp::put(name, number.to_string(), Some(leased))
}
