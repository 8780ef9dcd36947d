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

pub mod scenes;

#[path = "../../../src/entry/mod.rs"]
mod entry;
mod ground;
mod read;
#[path = "../../../src/replica/mod.rs"]
mod replica;
#[path = "../../shuttle/src/threads.rs"]
mod threads;

use loom::thread;
