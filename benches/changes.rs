//! What a change costs: to apply it, to hear of it, to find it in a million, to decode it.
//!
//! All of it in this process, on a memory log: what a network adds is measured by `etcd`.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use globe::{Decode, Encode, Globe, Json};
use globe_bench::{filled, key};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// A value as large as a usual one: 100 bytes of JSON.
fn value() -> String {
    "x".repeat(98)
}

fn differences(criterion: &mut Criterion) {
    let Ok(runtime) = Runtime::new() else {
        return;
    };
    let entries = 1_000_000;
    let Ok((_log, globe)) = runtime.block_on(filled(entries)) else {
        return;
    };
    for changes in [1, 10, 1_000] {
        let old = globe.view();
        // Spread over the whole map: the worst case of a difference.
        let spread = (0..changes).map(|number| (key(number * (entries / changes)), 1));
        if runtime.block_on(globe.put_all(spread)).is_err() {
            return;
        }
        let new = globe.view();
        criterion.bench_function(&format!("diff of {changes} changes in 1 M"), |bencher| {
            bencher.iter(|| black_box(new.diff(&old)));
        });
    }
}

fn writes(criterion: &mut Criterion) {
    let Ok(runtime) = Runtime::new() else {
        return;
    };
    let Ok((log, writer)) = runtime.block_on(filled(100_000)) else {
        return;
    };
    let Ok(reader) = runtime.block_on(Globe::<String, u64>::open(log, "bench")) else {
        return;
    };
    let mut group = criterion.benchmark_group("writes in 100 k");
    for count in [1, 10_000_u64] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("put, applied twice", count), |bencher| {
            let entries = || (0..count).map(|number| (key(number as usize), number));
            bencher.iter_batched(
                || entries().collect::<Vec<_>>(),
                |entries| runtime.block_on(writer.put_all(entries)),
                BatchSize::PerIteration,
            );
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("put until a watch of another map has shown it", |bencher| {
        bencher.iter_custom(|times| {
            let mut watch = reader.watch();
            let begun = Instant::now();
            for number in 0..times {
                runtime.block_on(async {
                    let (_, changes) = tokio::join!(
                        writer.put(key(number as usize % 1_000), number),
                        watch.next()
                    );
                    black_box(changes)
                });
            }
            begun.elapsed()
        });
    });
    group.finish();
}

fn codecs(criterion: &mut Criterion) {
    let Ok(bytes) = Json.encode(&value()) else {
        return;
    };
    criterion.bench_function("decode 100 B of JSON", |bencher| {
        bencher.iter(|| Decode::<String>::decode(&Json, black_box(&bytes)));
    });
}

criterion_group!(benches, differences, writes, codecs);
criterion_main!(benches);
