//! A process that writes the copy is killed at any moment: what is read was true at the position it says, and goes on from there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use rig::shared::{Process, Shared, follow};

const KILLS: usize = 200;

#[tokio::test]
#[ignore = "a part of the test below, which runs it in a process of its own"]
async fn who_writes() {
    follow().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_leaves_a_copy_that_was_true() {
    let mut shared = Shared::new().await;
    let (mut last, mut moved) = (None, 0);
    for kill in 0..KILLS {
        let mut process = Process::start(shared.folder.path(), "who_writes");
        // Every fourth while it may still be opening the file.
        if kill % 4 != 0 {
            process.hear("follows").await;
        }
        for _ in 0..fastrand::usize(1..20) {
            shared.commit().await;
        }
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..8_000))).await;
        process.kill().await;
        let copy = shared.copy().await;
        let Some(copy) = copy else {
            assert_eq!(last, None, "it is gone");
            continue;
        };
        shared.judge(&copy);
        assert!(Some(copy.position.revision) >= last, "it went back");
        moved += usize::from(Some(copy.position.revision) > last);
        last = Some(copy.position.revision);
        assert!(copy.age.is_some());
    }
    assert!(moved > KILLS / 4, "it moved only {moved} times");
    // One that is left alone makes it whole.
    let mut process = Process::start(shared.folder.path(), "who_writes");
    process.hear("follows").await;
    shared.commit().await;
    shared.is_reached().await;
    process.kill().await;
}
