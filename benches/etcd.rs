//! The figures that need a real etcd, each beside a bare `etcd-client`: prints rows of a Markdown table.
//!
//! It starts a server of its own, and itself once more as the other process; it leaves neither behind.

use std::collections::HashMap;

use etcd_client::{Client, GetOptions, Txn, TxnOp, WatchOptions};
use globe::{EtcdLog, Globe, Keyspace, LogClient};
use globe_bench::{Done, Onlooker, Target, Turns, either, guarded_put, key, report, rounds};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::Runtime;
use tokio::time::{Duration, Instant};

/// How many puts of a kind follow each other, how many before them are not measured, and how often that is done.
const PUTS: usize = 50;
const WARM_UP: usize = 10;
const BLOCKS: usize = 40;

/// How many entries are hydrated, and how often.
const HYDRATIONS: [(usize, usize); 2] = [(100_000, 15), (1_000_000, 5)];

/// How long the largest may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a tail is opened.
const TAILS: usize = 40;

/// The records of the first page and of the others, as `EtcdLog` asks for them when they are this small.
const PAGES: (usize, usize) = (1_000, 10_000);

fn main() -> Done {
    let runtime = Runtime::new()?;
    if let Some(looking_on) = globe_bench::looks_on(&runtime) {
        return looking_on;
    }
    let server = runtime.block_on(EtcdServer::start(EtcdVersion::Reference));
    let endpoint = server.endpoint();
    latency(&runtime, &endpoint)?;
    let mut all = Vec::new();
    for (entries, times) in either(&HYDRATIONS[..], &HYDRATIONS[..1]).iter().copied() {
        let server = runtime.block_on(EtcdServer::start(EtcdVersion::Reference));
        let endpoint = server.endpoint();
        all.push(runtime.block_on(hydration(&endpoint, entries, rounds(times)))?);
        runtime.block_on(opening(&endpoint, entries))?;
    }
    let [few, many] = &all[..] else {
        return Ok(());
    };
    let mut linear = Turns::default();
    let per_entry =
        |times: &Turns, (entries, _)| Duration::from_nanos((times.ours() / entries as f64) as u64);
    linear.push(
        per_entry(many, HYDRATIONS[1]),
        per_entry(few, HYDRATIONS[0]),
    );
    report(
        "an entry of 1 M hydrated, beside one of 100,000",
        &linear,
        Target::Times(1.3),
    );
    Ok(())
}

/// From the call of a put until another process has seen it; four kinds of puts, in blocks, so that each follows its own
/// kind, and the blocks in a new order each time.
fn latency(runtime: &Runtime, endpoint: &str) -> Done {
    let mut writer = Writer::open(runtime, endpoint)?;
    let onlooker = Onlooker::start(endpoint)?;
    let mut order = PUT_KINDS;
    let [mut whole, mut guarded, mut tail] = [(); 3].map(|()| Turns::default());
    for _ in 0..rounds(BLOCKS) {
        fastrand::shuffle(&mut order);
        let mut took = PUT_KINDS.map(|_| Vec::new());
        for kind in order {
            for number in 0..WARM_UP + PUTS {
                let begun = Instant::now();
                runtime.block_on(writer.put(kind, number))?;
                let seen = onlooker.saw(kind.seen_as())? - begun;
                if number >= WARM_UP {
                    took[kind as usize].push(seen);
                }
            }
        }
        let [ours, bare, by_hand, foreign] = &took;
        for number in 0..PUTS {
            whole.push(ours[number], bare[number]);
            guarded.push(ours[number], by_hand[number]);
            tail.push(foreign[number], bare[number]);
        }
    }
    let figure = "`put` until another process's map shows it, beside put and watch of etcd-client";
    report(figure, &whole, Target::Over(50_000.0));
    let figure = "the same, beside as well guarded a transaction that its process watches as well";
    report(figure, &guarded, Target::Over(50_000.0));
    let figure = "the same, written by a bare put of etcd-client";
    report(figure, &tail, Target::Over(50_000.0));
    Ok(())
}

/// Ways to put.
#[derive(Clone, Copy)]
enum Put {
    /// By Globe, into its map.
    Ours,
    /// By etcd-client, and nothing else.
    Bare,
    /// By etcd-client, doing what Globe does: with guards, and with a watch in the same process.
    ByHand,
    /// By etcd-client, into Globe's map.
    Foreign,
}

const PUT_KINDS: [Put; 4] = [Put::Ours, Put::Bare, Put::ByHand, Put::Foreign];

impl Put {
    /// Which watch of the other process shows it.
    fn seen_as(self) -> &'static str {
        match self {
            Put::Ours | Put::Foreign => "globe",
            Put::Bare | Put::ByHand => "raw",
        }
    }
}

/// Who puts.
struct Writer {
    globe: Globe<String, u64>,
    client: Client,
    lease: i64,
    /// Where the fence is, and what was written by hand.
    fence: i64,
    at: HashMap<String, i64>,
}

impl Writer {
    fn open(runtime: &Runtime, endpoint: &str) -> Done<Writer> {
        let opening = async {
            let log = EtcdLog::connect([endpoint]).await?;
            let globe = Globe::open(log, "latency").await?;
            let mut client = Client::connect([endpoint], None).await?;
            let lease = client.lease_grant(600, None).await?.id();
            let options = WatchOptions::new().with_prefix();
            let mut watch = client.watch("raw/by-hand/", Some(options)).await?;
            tokio::spawn(async move { while let Ok(Some(_)) = watch.message().await {} });
            Done::Ok(Writer {
                globe,
                client,
                lease,
                fence: 0,
                at: HashMap::new(),
            })
        };
        runtime.block_on(opening)
    }

    async fn put(&mut self, kind: Put, number: usize) -> Done {
        let key = key(number % 100);
        let value = number.to_string();
        match kind {
            Put::Ours => drop(self.globe.put(key, number as u64).await?),
            Put::Bare => drop(self.client.put(format!("raw/{key}"), value, None).await?),
            Put::ByHand => {
                self.put_by_hand(&format!("raw/by-hand/{key}"), value)
                    .await?
            }
            Put::Foreign => drop(
                self.client
                    .put(format!("latency/{key}"), value, None)
                    .await?,
            ),
        }
        Ok(())
    }

    async fn put_by_hand(&mut self, key: &str, value: String) -> Done {
        let revision = self.at.entry(key.to_owned()).or_insert(0);
        let guards = ((key, Some(*revision)), ("fence", Some(self.fence)));
        let transaction = guarded_put(guards.0, &value, guards.1, self.lease);
        let answer = self.client.txn(transaction).await?;
        self.fence = answer.header().ok_or("no header")?.revision();
        *revision = self.fence;
        Ok(())
    }
}

/// From nothing to a map, beside reading pages and dropping them: as it is done without a thought, and by one who knows all
/// keys and says where each page ends, so that the server need not count what is left.
async fn hydration(endpoint: &str, entries: usize, times: usize) -> Done<Turns> {
    let mut client = Client::connect([endpoint], None).await?;
    fill(&mut client, entries).await?;
    let log = EtcdLog::connect([endpoint]).await?;
    let [mut beside_plain, mut beside_told] = [(); 2].map(|()| Turns::default());
    for _ in 0..times {
        let begun = Instant::now();
        let opening = Globe::builder(log.clone(), "hydration").open_timeout(PATIENCE);
        let globe: Globe<String, String> = opening.open().await?;
        let ours = begun.elapsed();
        if globe.len() != entries {
            return Err(format!("hydrated {} entries of {entries}", globe.len()).into());
        }
        globe.close().await;
        drop(globe);
        let mut peer = async |told| read_pages(&mut client, entries, told).await;
        beside_plain.push(ours, peer(false).await?);
        beside_told.push(ours, peer(true).await?);
    }
    let figure = format!("hydrating {entries} × 100 B, beside a bare loop over pages as large");
    report(&figure, &beside_plain, Target::Times(1.3));
    let figure = "the same, beside a loop that knows the keys and says where each page ends";
    report(figure, &beside_told, Target::None);
    Ok(beside_plain)
}

/// A tail opened, beside a bare watch.
async fn opening(endpoint: &str, entries: usize) -> Done {
    let mut client = Client::connect([endpoint], None).await?;
    let log = EtcdLog::connect([endpoint]).await?;
    let keyspace = Keyspace::new("hydration")?;
    let position = log.snapshot(&keyspace).await?.position();
    let mut turns = Turns::default();
    for _ in 0..rounds(TAILS) {
        let begun = Instant::now();
        let tail = log.tail(&keyspace, position).await?;
        let ours = begun.elapsed();
        drop(tail);
        let after = i64::try_from(position.revision.0)? + 1;
        let options = WatchOptions::new().with_range("hydration0");
        let begun = Instant::now();
        let watch = client.watch("hydration/", Some(options.with_start_revision(after)));
        let watch = watch.await?;
        turns.push(ours, begun.elapsed());
        drop(watch);
    }
    let figure = format!("opening a tail on {entries} keys, beside a bare watch");
    report(&figure, &turns, Target::Over(10_000_000.0));
    Ok(())
}

async fn fill(client: &mut Client, entries: usize) -> Done {
    // 100 bytes of JSON.
    let value = format!("{:?}", "x".repeat(98));
    let numbers: Vec<usize> = (0..entries).collect();
    for numbers in numbers.chunks(100) {
        let names = numbers
            .iter()
            .map(|number| format!("hydration/{}", key(*number)));
        let puts = names.map(|name| TxnOp::put(name, value.clone(), None));
        client
            .txn(Txn::new().and_then(puts.collect::<Vec<_>>()))
            .await?;
    }
    Ok(())
}

async fn read_pages(client: &mut Client, entries: usize, told: bool) -> Done<Duration> {
    let begun = Instant::now();
    let (mut start, mut revision, mut count) = (b"hydration/".to_vec(), 0, 0);
    loop {
        let size = if count == 0 { PAGES.0 } else { PAGES.1 };
        let end = match count + size {
            next if told && next < entries => format!("hydration/{}", key(next)),
            _ => "hydration0".to_owned(),
        };
        let options = GetOptions::new()
            .with_range(end)
            .with_limit(i64::try_from(size)?)
            .with_revision(revision);
        let page = client
            .kv_client()
            .max_decoding_message_size(64 << 20)
            .get(start, Some(options))
            .await?;
        revision = page.header().map_or(0, |header| header.revision());
        count += page.kvs().len();
        match page.kvs().last() {
            Some(last) if count < entries => start = [last.key(), b"\0"].concat(),
            _ => break,
        }
    }
    let took = begun.elapsed();
    if count != entries {
        return Err(format!("read {count} entries of {entries}").into());
    }
    Ok(took)
}
