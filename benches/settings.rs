//! What reading a setting costs, beside what it is made of, alone and while all cores read it: prints rows of a Markdown table.
//!
//! It is meant for `scripts/bench`. It needs no server.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use arc_swap::ArcSwap;
use globe::settings::{Scope, Setting};
use globe::{MemoryLog, Settings};
use globe_bench::{Target, Turns, report, rounds};

/// Rounds of each comparison, and reads of one round: many short ones, so that most fall between two interruptions.
const ROUNDS: usize = 1_501;
const READS: usize = 5_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let opening = Settings::open(MemoryLog::new(), "settings", Scope::new("bench"));
    let settings = runtime.block_on(opening)?;
    let limit = settings.declare("http.limit", 0_u64).open()?;
    runtime.block_on(limit.publish("global", 250))?;
    alone(&limit);
    report(
        "`CachedSetting::get` while all cores read it, beside one alone",
        &crowded(&limit, cached(&limit), || cached(&limit)),
        Target::Times(1.1),
    );
    report(
        "`Setting::get` while all cores read it, beside one alone",
        &crowded(&limit, got(&limit), || got(&limit)),
        Target::Times(1.1),
    );
    Ok(())
}

fn alone(limit: &Setting<u64>) {
    let (atomic, bare) = (AtomicU64::new(250), ArcSwap::from_pointee(250_u64));
    let beside_atomic = Turns::take(rounds(ROUNDS), cached(limit), || {
        for _ in 0..READS {
            black_box(atomic.load(Ordering::Acquire));
        }
        READS
    });
    report(
        "`CachedSetting::get`, beside a bare atomic number",
        &beside_atomic,
        Target::Under(2.0),
    );
    let beside_bare = Turns::take(rounds(ROUNDS), got(limit), || {
        for _ in 0..READS {
            black_box(**bare.load());
        }
        READS
    });
    report(
        "`Setting::get`, beside a bare `ArcSwap::load`",
        &beside_bare,
        Target::Times(1.1),
    );
}

/// Some reads by a handle of one's own.
fn cached(limit: &Setting<u64>) -> impl FnMut() -> usize + Send + use<> {
    let mut limit = limit.cached();
    move || {
        for _ in 0..READS {
            black_box(*limit.get());
        }
        READS
    }
}

/// Some reads by a handle that is shared.
fn got(limit: &Setting<u64>) -> impl FnMut() -> usize + Send + use<> {
    let limit = limit.clone();
    move || {
        for _ in 0..READS {
            black_box(*limit.get());
        }
        READS
    }
}

/// What the others do.
const SPIN: usize = 0;
const READ: usize = 1;
const STOP: usize = 2;

/// Reads while all other cores read as well, beside reads while they only spin.
fn crowded<R: FnMut() -> usize + Send + 'static>(
    limit: &Setting<u64>,
    mut read: impl FnMut() -> usize,
    reader: impl Fn() -> R,
) -> Turns {
    black_box(*limit.get());
    let work = Arc::new(AtomicUsize::new(SPIN));
    let others = thread::available_parallelism().map_or(1, |cores| cores.get() - 1);
    let others: Vec<_> = (0..others)
        .map(|_| {
            let (work, mut read) = (Arc::clone(&work), reader());
            thread::spawn(move || {
                loop {
                    match work.load(Ordering::Relaxed) {
                        SPIN => std::hint::spin_loop(),
                        READ => drop(read()),
                        _ => return,
                    }
                }
            })
        })
        .collect();
    let read = std::cell::RefCell::new(&mut read);
    let during = |what| {
        work.store(what, Ordering::Relaxed);
        (read.borrow_mut())()
    };
    let turns = Turns::take(rounds(ROUNDS), || during(READ), || during(SPIN));
    work.store(STOP, Ordering::Relaxed);
    for other in others {
        let _ = other.join();
    }
    turns
}
