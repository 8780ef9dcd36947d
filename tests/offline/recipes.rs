//! Settings and a registry that begin with their copies, each by one call of its builder.
//!
//! What they show while the log is down is what they knew, and never more.

use globe::registry::Member;
use globe::settings::Scope;
use globe::{MemoryLog, Phase, Registry, Session, Settings};
use tempfile::TempDir;

use crate::rig::{until, within};
use crate::{SECOND, in_folder};

async fn settings(log: &MemoryLog, folder: &TempDir) -> Settings {
    let scope = Scope::new("web-7").layer("region", "eu");
    let builder = Settings::builder(log.clone(), "settings", scope).offline(in_folder(folder));
    within("settings are opened", builder.open()).await.unwrap()
}

#[tokio::test]
async fn settings_begin_with_the_values_of_their_copy_while_the_log_is_down() {
    let (log, folder) = (MemoryLog::new(), tempfile::tempdir().unwrap());
    let before = settings(&log, &folder).await;
    let timeout = before.declare("timeout", 250_u64).open().unwrap();
    timeout.publish("region:eu", 400).await.unwrap();
    before.close().await;
    log.set_available(false);

    let after = settings(&log, &folder).await;
    let timeout = after.declare("timeout", 250_u64).open().unwrap();
    assert_eq!(*timeout.get(), 400);
    assert!(after.status().from_copy);
    log.set_available(true);
    within("published", timeout.publish("region:eu", 500))
        .await
        .unwrap();
    assert_eq!(*timeout.get(), 500);
    until("the log has proved it", || !after.status().from_copy).await;
}

async fn registry(log: &MemoryLog, folder: &TempDir) -> Registry<String> {
    let builder = Registry::builder(log.clone(), "services").offline(in_folder(folder));
    within("a registry is opened", builder.open())
        .await
        .unwrap()
}

fn listed(registry: &Registry<String>) -> Vec<String> {
    let members = registry.members("billing");
    members.iter().map(|member| member.id.clone()).collect()
}

#[tokio::test]
async fn a_registry_begins_with_the_members_of_its_copy_and_lets_go_of_who_has_left_meanwhile() {
    let (log, folder) = (MemoryLog::new(), tempfile::tempdir().unwrap());
    let session = Session::open(log.clone()).await.unwrap();
    let others: Registry<String> = Registry::open(log.clone(), "services").await.unwrap();
    let before = registry(&log, &folder).await;
    let mut handles = Vec::new();
    for id in ["one", "two"] {
        let member = Member::new(id, format!("{id}:80"));
        let registered = others.register(&session, "billing", member).await.unwrap();
        handles.push(registered);
    }
    until("both are listed", || listed(&before).len() == 2).await;
    before.close().await;
    handles.remove(0).deregister().await.unwrap();
    until("one has left", || listed(&others) == ["two"]).await;
    log.set_available(false);

    let after = registry(&log, &folder).await;
    assert_eq!(listed(&after), ["one", "two"], "what was known");
    let status = after.status();
    assert!(status.map.from_copy && status.map.phase == Phase::Stale);
    assert!(status.map.staleness.is_some_and(|age| age < 60 * SECOND));
    log.set_available(true);
    until("it has moved on", || listed(&after) == ["two"]).await;
}
