//! Random histories: several maps on one log, cut off, compacted and restored along the way, against what the log held.
//!
//! The truth is folded from the log's own history (`rig/truth.rs`); no map is asked what is right.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_parts;
mod rig;

use model_parts::{Op, World, op};
use proptest::prelude::*;

/// Runs a history, and checks everything after each of its steps. Steps are sets of operations that run at once.
fn run(history: Vec<Vec<Op>>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    fastrand::seed(7);
    runtime.block_on(async {
        let world = World::begin().await;
        for step in history {
            let running = step.into_iter().map(|op| world.perform(op));
            rig::within("a step", futures::future::join_all(running)).await;
            world.check().await;
        }
        world.end().await;
    });
}

proptest! {
    #[test]
    fn every_view_is_the_log_at_its_revision_and_every_watch_adds_up(
        history in prop::collection::vec(prop::collection::vec(op(), 1..5), 1..40)
    ) {
        run(history);
    }
}
