//! The sources of the map that several threads meet in, compiled once more with the locks and atomics of [`loom`], which
//! runs every order of two threads, and every value that the memory orders of an atomic let a thread read.
//!
//! It never asks what watches do: that is `tests/shuttle`'s, which knows more threads and more of tokio, but only the
//! sequential order.

#![allow(
    dead_code,
    unused_imports,
    reason = "the map uses more of its own than what threads meet in"
)]

#[macro_use]
#[path = "../../../src/mutant.rs"]
mod mutant;

pub mod scenes;
mod sync;

#[path = "../../../src/careful.rs"]
mod careful;
#[path = "../../../src/change.rs"]
mod change;
#[path = "../../../src/difference.rs"]
mod difference;
#[path = "../../../src/doubt.rs"]
mod doubt;
#[path = "../../../src/entry.rs"]
mod entry;
#[path = "../../../src/index.rs"]
mod index;
#[path = "../../../src/key.rs"]
mod key;
#[path = "../../../src/pace.rs"]
mod pace;
#[path = "../../../src/progress.rs"]
mod progress;
#[path = "../../../src/quarantine.rs"]
mod quarantine;
#[path = "../../../src/replica.rs"]
mod replica;
#[path = "../../../src/status.rs"]
mod status;
#[path = "../../../src/subscribers.rs"]
mod subscribers;
#[path = "../../../src/view.rs"]
mod view;
#[path = "../../../src/watch.rs"]
mod watch;
