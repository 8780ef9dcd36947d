//! What a shard table costs: a look-up, beside a hash map in an `ArcSwap`, and a plan.
//!
//! Never moves a shard: a table of rows written by hand is looked at.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use arc_swap::ArcSwap;
use criterion::{Criterion, criterion_group, criterion_main};
use globe::shards::{Balance, Mode, Planner, Shards, Situation, Table};
use globe::{Globe, MemoryLog, Result};
use globe_bench::key;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const SHARDS: u32 = 10_000;
const MEMBERS: u32 = 50;

/// A table, and the handle that keeps it; of its members so many are there, and own all.
async fn table(rows: bool, gone: u32) -> Result<(Shards, Table)> {
    let log = MemoryLog::new();
    let shards = Shards::builder(log.clone(), "table")
        .slots(SHARDS)
        .mode(Mode::Strict);
    let shards = shards.open().await?;
    let map: Globe<String, Value> = Globe::open(log, "table").await?;
    for number in gone..MEMBERS {
        map.put(format!("member/w{number:02}"), json!({ "state": "up" }))
            .await?;
    }
    if rows {
        let lives: Vec<_> = (0..MEMBERS)
            .map(|number| {
                let entry = map.get_entry(&format!("member/w{number:02}"));
                let created = entry.map_or(0, |entry| entry.created().revision().0);
                format!("w{number:02}@{created}")
            })
            .collect();
        for shard in 0..SHARDS {
            let owner = lives.get((shard % MEMBERS) as usize);
            map.put(
                format!("row/{shard:05}"),
                json!({ "owner": owner, "term": 1 }),
            )
            .await?;
        }
    }
    shards.sync().await?;
    let table = shards.table();
    Ok((shards, table))
}

fn plans(criterion: &mut Criterion) {
    let Ok(runtime) = Runtime::new() else {
        return;
    };
    let mut group = criterion.benchmark_group("plan of 10,000 shards and 50 members");
    for (name, rows, gone) in [
        ("first", false, 0),
        ("one member gone", true, 1),
        ("balanced", true, 0),
    ] {
        let Ok((_shards, table)) = runtime.block_on(table(rows, gone)) else {
            return;
        };
        let planner = Balance::default();
        group.bench_function(name, |bencher| {
            let situation = Situation::new(&table).settled(true);
            bencher.iter(|| black_box(planner.plan(&situation)));
        });
    }
    group.finish();
}

fn lookups(criterion: &mut Criterion) {
    let Ok(runtime) = Runtime::new() else {
        return;
    };
    let Ok((shards, table)) = runtime.block_on(table(true, 0)) else {
        return;
    };
    let keys: Vec<String> = (0..1_000).map(key).collect();
    let mut group = criterion.benchmark_group("owner of a key, 10,000 shards");
    group.bench_function("owner_of of the handle", |bencher| {
        let mut keys = keys.iter().cycle();
        bencher.iter(|| keys.next().map(|key| black_box(shards.owner_of(key))));
    });
    group.bench_function("owner_of of a table", |bencher| {
        let mut keys = keys.iter().cycle();
        bencher.iter(|| keys.next().map(|key| black_box(table.owner_of(key))));
    });
    let owners = keys.iter().map(|key| (key.clone(), table.owner_of(key)));
    let bare: HashMap<String, _> = owners.collect();
    let bare = ArcSwap::from(Arc::new(bare));
    group.bench_function("bare HashMap of the keys in an ArcSwap", |bencher| {
        let mut keys = keys.iter().cycle();
        bencher.iter(|| {
            keys.next()
                .map(|key| black_box(bare.load().get(key).cloned()))
        });
    });
    let owners = table.shards().map(|shard| table.owner_of_shard(shard));
    let bare: Vec<_> = owners.collect();
    let bare = ArcSwap::from(Arc::new(bare));
    group.bench_function(
        "bare Vec of the shards in an ArcSwap, the shard known",
        |bencher| {
            let mut shards = keys.iter().map(|key| table.shard_of(key)).cycle();
            bencher.iter(|| {
                shards
                    .next()
                    .map(|shard| black_box(bare.load().get(shard as usize).cloned()))
            });
        },
    );
    group.finish();
}

criterion_group!(benches, plans, lookups);
criterion_main!(benches);
