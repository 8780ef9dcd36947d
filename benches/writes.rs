//! How many writes pass, and how long one takes, when many tasks of a process write at once: `put` beside a bare put of
//! etcd-client, and beside a transaction made by hand that is guarded as well. Prints rows of a Markdown table.
//!
//! It starts a server of its own, and leaves none behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use etcd_client::Client;
use globe::{EtcdLog, Globe};
use globe_bench::{Done, Target, Turns, Unit, guarded_put, key, report, rounds};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

/// How many tasks write.
const WRITERS: [usize; 4] = [1, 16, 64, 256];

/// How long each kind writes in a round, and how often.
const WHILE: Duration = Duration::from_millis(300);
const ROUNDS: usize = 15;

fn main() -> Done {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> Done {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let stand = Stand::open(&server.endpoint()).await?;
    for writers in WRITERS {
        let [mut bare, mut by_hand] = [(); 2].map(|()| Turns::default());
        let [mut median, mut tail, mut stored, mut bytes] = [
            Turns::default(),
            Turns::default(),
            Turns::of(Unit::Keys),
            Turns::of(Unit::Bytes),
        ];
        for round in 0..rounds(ROUNDS) {
            let mut took = [(); 3].map(|()| Run::default());
            for place in 0..KINDS.len() {
                let kind = KINDS[(place + round) % KINDS.len()];
                let before = Stored::at(&server).await;
                let mut run = stand.write(kind, writers).await?;
                let after = Stored::at(&server).await;
                run.stored = after.per_put(&before, run.writes);
                took[kind as usize] = run;
            }
            let [ours, puts, guarded] = &took;
            bare.push(ours.each(), puts.each());
            by_hand.push(ours.each(), guarded.each());
            median.push(ours.percentile(50), guarded.percentile(50));
            tail.push(ours.percentile(99), guarded.percentile(99));
            stored.count(ours.stored.keys, puts.stored.keys);
            bytes.count(ours.stored.bytes, puts.stored.bytes);
        }
        let of = format!("of {writers} writers");
        let most = if writers == 64 {
            Target::Times(1.0)
        } else {
            Target::None
        };
        report(
            &format!("a `put` {of} at once, each, beside bare puts"),
            &bare,
            most,
        );
        report(
            "the same, beside transactions by hand that are guarded as well",
            &by_hand,
            Target::None,
        );
        report(
            "how long one takes, p50, beside these",
            &median,
            Target::Over(50_000.0),
        );
        report("p99", &tail, Target::Over(200_000.0));
        report(
            "keys that etcd stores for one, beside a bare put",
            &stored,
            Target::None,
        );
        report(
            "bytes that etcd writes to its log for one",
            &bytes,
            Target::None,
        );
    }
    Ok(())
}

/// Ways to write.
#[derive(Clone, Copy)]
enum Kind {
    Ours,
    Bare,
    ByHand,
}

const KINDS: [Kind; 3] = [Kind::Ours, Kind::Bare, Kind::ByHand];

/// What writers did in a while.
#[derive(Default)]
struct Run {
    took: Duration,
    writes: usize,
    latencies: Vec<Duration>,
    stored: PerPut,
}

impl Run {
    /// How long it took for each write, of all writers together.
    fn each(&self) -> Duration {
        self.took / u32::try_from(self.writes.max(1)).unwrap_or(u32::MAX)
    }

    fn percentile(&self, percent: usize) -> Duration {
        let place = self.latencies.len() * percent / 100;
        self.latencies.get(place).copied().unwrap_or_default()
    }
}

#[derive(Default)]
struct PerPut {
    keys: f64,
    bytes: f64,
}

/// What a server has stored so far.
struct Stored {
    keys: f64,
    bytes: f64,
}

impl Stored {
    async fn at(server: &EtcdServer) -> Stored {
        Stored {
            keys: server.metric("etcd_mvcc_put_total", "").await,
            bytes: server.metric("etcd_disk_wal_write_bytes_total", "").await,
        }
    }

    fn per_put(&self, before: &Stored, puts: usize) -> PerPut {
        PerPut {
            keys: (self.keys - before.keys) / puts as f64,
            bytes: (self.bytes - before.bytes) / puts as f64,
        }
    }
}

/// Who writes.
struct Stand {
    globe: Globe<String, u64>,
    client: Client,
    lease: i64,
}

impl Stand {
    async fn open(endpoint: &str) -> Done<Stand> {
        let globe = Globe::open(EtcdLog::connect([endpoint]).await?, "writes").await?;
        let mut client = Client::connect([endpoint], None).await?;
        let lease = client.lease_grant(3600, None).await?.id();
        Ok(Stand {
            globe,
            client,
            lease,
        })
    }

    /// Each of the writers writes keys of its own, one after the other.
    async fn write(&self, kind: Kind, writers: usize) -> Done<Run> {
        let mut tasks = JoinSet::new();
        let begun = Instant::now();
        let count = Arc::new(AtomicUsize::new(0));
        for writer in 0..writers {
            let mut hand = Hand::new(self, kind, writer);
            let count = Arc::clone(&count);
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while begun.elapsed() < WHILE {
                    let sent = Instant::now();
                    if let Err(error) = hand.write(count.fetch_add(1, Ordering::Relaxed)).await {
                        return Err(error.to_string());
                    }
                    latencies.push(sent.elapsed());
                }
                Ok(latencies)
            });
        }
        let mut run = Run::default();
        while let Some(latencies) = tasks.join_next().await {
            run.latencies.extend(latencies??);
        }
        run.took = begun.elapsed();
        run.writes = run.latencies.len();
        run.latencies.sort_unstable();
        Ok(run)
    }
}

/// One writer.
struct Hand {
    globe: Globe<String, u64>,
    client: Client,
    kind: Kind,
    lease: i64,
    keys: Vec<(String, Option<i64>)>,
    slot: (String, Option<i64>),
}

/// How many keys a writer writes in turn.
const KEYS: usize = 10;

impl Hand {
    fn new(stand: &Stand, kind: Kind, writer: usize) -> Hand {
        let first = writer * KEYS;
        Hand {
            globe: stand.globe.clone(),
            client: stand.client.clone(),
            kind,
            lease: stand.lease,
            // Of what stood there before nothing is known by hand: these are new ones each time.
            keys: (first..first + KEYS)
                .map(|number| (key(number), None))
                .collect(),
            slot: (format!("slots/{writer}"), None),
        }
    }

    async fn write(&mut self, number: usize) -> Done {
        let place = number % KEYS;
        let value = number.to_string();
        let Some((key, revision)) = self.keys.get_mut(place) else {
            return Ok(());
        };
        match self.kind {
            Kind::Ours => drop(self.globe.put(key.as_str(), number as u64).await?),
            Kind::Bare => drop(self.client.put(format!("raw/{key}"), value, None).await?),
            Kind::ByHand => {
                let (key, slot) = (format!("hand/{key}"), (self.slot.0.as_str(), self.slot.1));
                let transaction = guarded_put((&key, *revision), &value, slot, self.lease);
                let answer = self.client.txn(transaction).await?;
                let now = answer.header().ok_or("no header")?.revision();
                (*revision, self.slot.1) = (Some(now), Some(now));
            }
        }
        Ok(())
    }
}
