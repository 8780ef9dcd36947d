//! A process that has no descriptors left: nothing can be dialled.
//!
//! Never touches the limits of another process: it is played in one of its own.

use std::fs::File;

use globe::{ErrorKind, EtcdLog, Globe, Phase};
use globe_test_support::{EtcdServer, EtcdVersion};

use crate::node::{Numbers, TOLD, node, plays, within};

/// So few that they are soon used up, and enough for a map with all its connections.
const LIMIT: &str =
    "ulimit -n 128 && exec \"$0\" --exact --ignored descriptors::who_has_no_descriptors_left";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_follows_on_without_descriptors_and_another_hydrates_when_there_are_some_again() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let mut command = tokio::process::Command::new("sh");
    command
        .args(["-c", LIMIT])
        .arg(std::env::current_exe().unwrap());
    plays(&mut command, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of `a_map_follows_on_without_descriptors_and_another_hydrates_when_there_are_some_again`, which runs it in a process of its own"]
async fn who_has_no_descriptors_left() {
    let url = std::env::var(TOLD).unwrap();
    let map = node(&url).await;
    map.put("a", 1).await.unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    assert!(taken.len() < 128, "the limit is not in force");
    map.put("a", 2).await.unwrap();
    // One of its own: by `globe::connect` it would share the connections there are.
    let log = EtcdLog::from_url(&url).await.unwrap();
    let late: Numbers = Globe::builder(log, "flags").start().unwrap();
    let said = async {
        while late.status().last_error.is_none() {
            tokio::task::yield_now().await;
        }
    };
    within("the reason", said).await;
    let status = late.status();
    assert_eq!(status.phase, Phase::Hydrating);
    let error = status.last_error.unwrap();
    assert_eq!(*error.kind(), ErrorKind::Unavailable, "{error}");
    map.put("a", 3).await.unwrap();
    drop(taken);
    within("it hydrates", late.hydrated()).await.unwrap();
    assert_eq!(late.get("a").as_deref(), Some(&3));
}
