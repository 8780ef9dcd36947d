//! A read of one key: of Globe, beside other maps in the process, and beside servers that are asked for it; while nobody writes,
//! and while somebody does; prints rows of a Markdown table.
//!
//! It is meant for `scripts/bench`. What needs a server is left out where it is built without it.

mod bare;
mod case;
#[cfg(feature = "etcd")]
mod etcd;
mod handle;
mod ours;
#[cfg(feature = "etcd")]
mod redis;
mod reflector;
mod round;
mod subject;

use std::sync::Arc;

use globe_bench::{key, print_head, remark, shuffled_keys, sizes};
use tokio::runtime::{Builder, Runtime};

use crate::handle::{Handle, Swapped};
use crate::ours::Ours;
use crate::reflector::Reflector;
use crate::subject::{Done, Subject};

fn main() -> Done {
    // One worker for the tasks of the maps; whoever reads or writes has a thread of its own.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    for (size, entries) in sizes() {
        in_process(&runtime, size, *entries)?;
    }
    for (size, entries) in sizes() {
        beside_servers(&runtime, size, *entries)?;
    }
    one_key(&runtime)
}

/// Beside maps that live in this process as well.
fn in_process(runtime: &Runtime, size: &str, entries: usize) -> Done {
    let keys = Arc::new(shuffled_keys(entries));
    let mut subjects: Vec<Box<dyn Subject>> = vec![Box::new(Ours::filled(runtime, &keys)?)];
    subjects.extend(bare::all(&keys));
    subjects.push(Box::new(Reflector::filled(&keys)));
    measure("point_reads", size, subjects)
}

/// Beside servers, for those who ask for what they need.
#[cfg(feature = "etcd")]
fn beside_servers(runtime: &Runtime, size: &str, entries: usize) -> Done {
    let keys = Arc::new(shuffled_keys(entries));
    let mut subjects: Vec<Box<dyn Subject>> = vec![Box::new(Ours::filled(runtime, &keys)?)];
    for etcd in etcd::Etcd::filled(runtime, &keys)? {
        subjects.push(Box::new(etcd));
    }
    match redis::Redis::filled(&keys)? {
        Some(redis) => subjects.push(Box::new(redis)),
        None => remark(
            "rpc_reads",
            "Redis: not measured, there is no `redis-server`.",
        ),
    }
    measure("rpc_reads", size, subjects)
}

#[cfg(not(feature = "etcd"))]
fn beside_servers(_: &Runtime, size: &str, _: usize) -> Done {
    let what = format!("{size} keys: not measured, it was built without servers.");
    remark("rpc_reads", &what);
    Ok(())
}

/// A handle on one key, of a map of usual size. Whoever writes, writes to one key after the other: nearly always to another.
fn one_key(runtime: &Runtime) -> Done {
    let (size, entries) = sizes()[1];
    let keys = Arc::new(shuffled_keys(entries));
    let map = Ours::filled(runtime, &keys)?;
    let swapped = Swapped::beside(entries);
    let key = key(0);
    measure(
        "one_key",
        size,
        vec![Box::new(Handle { map, key }), Box::new(swapped)],
    )
}

fn measure(group: &str, size: &str, mut subjects: Vec<Box<dyn Subject>>) -> Done {
    let names = subjects.iter().map(|subject| subject.name().to_owned());
    print_head(&names.collect::<Vec<_>>());
    case::measure(group, size, &mut subjects)
}
