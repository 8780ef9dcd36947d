//! The sources of the map that several threads meet in, compiled once more with the locks, atomics and threads of
//! [`shuttle`], which runs them in thousands of orders and remembers the one that failed.
//!
//! Nothing of the map is copied: the modules below are its own files. Only `sync`, which names what is shared, and
//! `reader`, a handle without a log, are others here.
//!
//! What is modelled and what is not:
//! - every lock, atomic and notification of ours is a point at which another thread may go on;
//! - `ArcSwap` and the hash table of the index are stood in for by a lock around an `Arc` and around a map: each of their operations is one
//!   step, as they promise, and how they keep that promise is theirs to test;
//! - the queue of a watch (tokio's `mpsc`) is one step an operation as well;
//! - shuttle runs one thread at a time, so what a weaker memory order than the sequential one would allow does not show
//!   here. The one atomic flag of ours that readers depend on is the index's mark: its orders are `tests/loom`'s.

#![allow(
    dead_code,
    unused_imports,
    reason = "the map uses more of its own than what threads meet in"
)]

pub mod scenes;

#[path = "../../../src/cached.rs"]
mod cached;
#[path = "../../../src/entry/mod.rs"]
mod entry;
mod ground;
mod read;
mod reader;
#[path = "../../../src/replica/mod.rs"]
mod replica;
mod threads;

use shuttle::thread;
