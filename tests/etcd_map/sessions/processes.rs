//! A session whose process is killed, or stopped for longer than its lease lives.
//!
//! Never plays that in the process of the test: the other one is started for it.

use std::process::Stdio;
use std::time::Duration;

use globe::{EtcdLog, Loss, Session, SessionEvent, SessionState};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::SHORT;
use crate::node::{Numbers, TOLD, holds, node, within};

/// How much longer than its ttl an entry may stand after its owner died, on a busy machine.
pub(super) const LATE: Duration = Duration::from_secs(20);

/// Plays a part of a test in a process of its own, which goes with this one.
pub(super) fn starts(part: &str, server: &EtcdServer) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--ignored", part])
        .env(TOLD, server.url())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().unwrap()
}

pub(crate) fn signal(process: &Child, signal: &str) {
    let id = process.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill")
        .args(["-s", signal, &id])
        .status();
    assert!(sent.unwrap().success());
}

/// A map and a session of one log, as an application opens them.
async fn application() -> (Numbers, Session) {
    let url = std::env::var(TOLD).unwrap();
    let log = EtcdLog::from_url(&url).await.unwrap();
    let map = within("a map", Numbers::open(log.clone(), "flags")).await;
    let session = Session::builder(log).ttl(SHORT).open();
    (map.unwrap(), within("a session", session).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_entry_of_a_killed_process_is_gone_after_its_ttl() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let server = EtcdServer::start(version).await;
        let other = node(&server.url()).await;
        let mut process = starts("sessions::processes::who_is_killed", &server);
        holds(&other, "its entry", |map| map.contains_key("a")).await;
        process.kill().await.unwrap();
        let killed = Instant::now();
        holds(&other, "its entry is gone", |map| map.is_empty()).await;
        let stood = killed.elapsed();
        assert!(stood < SHORT + LATE, "{stood:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of `the_entry_of_a_killed_process_is_gone_after_its_ttl`, which runs it in a process of its own"]
async fn who_is_killed() {
    let (map, session) = application().await;
    map.put_ephemeral(&session, "a", 1).await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_stopped_beyond_its_ttl_learns_of_its_loss_and_its_entry_is_back() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let other = node(&server.url()).await;
    let process = starts("sessions::processes::who_is_stopped", &server);
    holds(&other, "its entry", |map| map.contains_key("a")).await;
    signal(&process, "STOP");
    holds(&other, "its entry is gone", |map| map.is_empty()).await;
    signal(&process, "CONT");
    holds(&other, "it is back, and its owner knows", |map| {
        map.contains_key("a") && map.contains_key("heard")
    })
    .await;
    other.put("seen", 1).await.unwrap();
    let output = within("the other process", process.wait_with_output());
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let is_done = output.status.success() && said.contains("1 passed");
    assert!(is_done, "{said}");
    holds(&other, "it was closed", |map| !map.contains_key("a")).await;
}

/// Hears that it was suspended before it hears of the loss, although nothing of it ran when either happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of `a_process_that_was_stopped_beyond_its_ttl_learns_of_its_loss_and_its_entry_is_back`, which runs it in a process of its own"]
async fn who_is_stopped() {
    let (map, session) = application().await;
    let mut events = session.events();
    map.put_ephemeral(&session, "a", 1).await.unwrap();
    let mut heard = Vec::new();
    loop {
        let event = within("an event", events.next()).await.unwrap();
        heard.push(event);
        if let Some(SessionEvent::Restored { put_back, .. }) = heard.last() {
            assert_eq!(*put_back, 1);
            break;
        }
    }
    let before = [SessionEvent::Suspended, SessionEvent::Lost(Loss::Expired)];
    assert_eq!(heard[..2], before, "{heard:?}");
    assert_eq!(session.state(), SessionState::Live);
    map.put("heard", 1).await.unwrap();
    holds(&map, "the other has seen it", |map| {
        map.contains_key("seen")
    })
    .await;
    session.close().await.unwrap();
}
