//! What a read costs, and what its peer costs: `get` beside a bare DashMap, a `Cached` beside a bare `arc_swap` cache, and
//! `view`.
//!
//! To watch one number over time; `figures` is where two are compared.

use std::hint::black_box;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dashmap::DashMap;
use globe_bench::{filled, key, shuffled_keys};
use tokio::runtime::Runtime;

fn reads(criterion: &mut Criterion) {
    let Ok(runtime) = Runtime::new() else {
        return;
    };
    for entries in [1_000, 100_000, 1_000_000] {
        let Ok((_log, globe)) = runtime.block_on(filled(entries)) else {
            return;
        };
        let keys = shuffled_keys(entries);
        let mut group = criterion.benchmark_group("reads");
        group.bench_function(BenchmarkId::new("get", entries), |bencher| {
            let mut keys = keys.iter().cycle();
            bencher.iter(|| keys.next().map(|key| black_box(globe.get(key))));
        });
        group.bench_function(BenchmarkId::new("view", entries), |bencher| {
            bencher.iter(|| black_box(globe.view()));
        });
        group.bench_function(BenchmarkId::new("cached", entries), |bencher| {
            let mut cached = globe.cached(key(0));
            bencher.iter(|| black_box(cached.get().is_some()));
        });
        group.bench_function(BenchmarkId::new("get of one key", entries), |bencher| {
            let key = key(0);
            bencher.iter(|| black_box(globe.get(&key).is_some()));
        });
        group.bench_function(BenchmarkId::new("bare Cache", entries), |bencher| {
            let mut bare = Cache::new(Arc::new(ArcSwap::from_pointee(0_u64)));
            bencher.iter(|| black_box(**bare.load() == 0));
        });
        drop(globe);
        let fill = (0..entries).map(|number| (key(number), Arc::new(number as u64)));
        let bare: DashMap<String, Arc<u64>> = fill.collect();
        group.bench_function(BenchmarkId::new("bare DashMap", entries), |bencher| {
            let mut keys = keys.iter().cycle();
            bencher.iter(|| {
                let value = keys.next().and_then(|key| bare.get(key));
                black_box(value.map(|value| Arc::clone(&value)))
            });
        });
        group.finish();
    }
}

criterion_group!(benches, reads);
criterion_main!(benches);
