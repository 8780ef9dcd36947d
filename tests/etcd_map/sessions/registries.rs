//! Members of a registry whose way to the server is cut, who are killed, and who vanish while nobody can see it.
//!
//! Never takes a member's word for being listed: a registry of another process, or the records, say that.

use std::time::Duration;

use globe::registry::{Member, Pick};
use globe::{EtcdLog, Globe, Registry, Session};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, wait_until};
use tokio::time::{Instant, sleep};

use super::SHORT;
use super::processes::{LATE, starts};
use crate::node::{BOUND, TOLD, within};

const SERVICE: &str = "billing";

/// A registry with a way of its own, and its log.
async fn registry(endpoint: &str) -> (EtcdLog, Registry<u16>) {
    let log = EtcdLog::connect([endpoint]).await.unwrap();
    let registry = within("a registry", Registry::open(log.clone(), "services")).await;
    (log, registry.unwrap())
}

async fn session(log: &EtcdLog, ttl: Duration) -> Session {
    let session = Session::builder(log.clone()).ttl(ttl).open();
    within("a session", session).await.unwrap()
}

fn ids(registry: &Registry<u16>) -> Vec<String> {
    let members = registry.members(SERVICE);
    members.iter().map(|member| member.id.clone()).collect()
}

async fn lists(registry: &Registry<u16>, expected: &[&str]) {
    let what = format!("{expected:?} are listed");
    wait_until(&what, BOUND, || async { ids(registry) == expected }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_outlives_an_outage_shorter_than_its_ttl() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let server = EtcdServer::start(version).await;
        let proxy = Proxy::start(server.port()).await;
        let (log, here) = registry(&proxy.endpoint()).await;
        let (other_log, there) = registry(&server.endpoint()).await;
        let session = session(&log, SHORT * 4).await;
        let me = here.register(&session, SERVICE, Member::new("a", 80));
        let me = within("a registration", me).await.unwrap();
        lists(&there, &["a"]).await;
        let records = Globe::<String, serde_json::Value>::open(other_log, "services");
        let records = within("a map", records).await.unwrap();
        let before = records.get_entry("billing/a").unwrap();
        proxy.cut();
        let cut = Instant::now();
        while cut.elapsed() < SHORT {
            assert!(me.is_registered());
            assert_eq!(
                (ids(&here), ids(&there)),
                (vec!["a".to_owned()], vec!["a".to_owned()])
            );
            sleep(Duration::from_millis(50)).await;
        }
        proxy.heal();
        within("it is heard again", here.hydrated()).await.unwrap();
        let set = me.set(|me| me.weight = 7);
        within("a change", set).await.unwrap();
        within("all is seen", records.sync()).await.unwrap();
        let after = records.get_entry("billing/a").unwrap();
        assert_eq!(after.created(), before.created(), "it was never gone");
        assert_eq!(after.lease(), before.lease());
        assert!(me.is_registered());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_member_is_not_listed_nor_picked_after_its_ttl() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let (log, here) = registry(&server.endpoint()).await;
    let session = session(&log, SHORT).await;
    let me = here.register(&session, SERVICE, Member::new("a", 80));
    let _me = within("a registration", me).await.unwrap();
    let mut process = starts("sessions::registries::who_registers", &server);
    lists(&here, &["a", "b"]).await;
    let picker = here.picker(SERVICE, Pick::RoundRobin);
    process.kill().await.unwrap();
    let killed = Instant::now();
    lists(&here, &["a"]).await;
    let stood = killed.elapsed();
    assert!(stood < SHORT + LATE, "{stood:?}");
    for _ in 0..10 {
        assert_eq!(picker.pick().unwrap().id, "a");
    }
    assert!(here.status().held_back.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of `a_killed_member_is_not_listed_nor_picked_after_its_ttl`, which runs it in a process of its own"]
async fn who_registers() {
    let url = std::env::var(TOLD).unwrap();
    let log = EtcdLog::from_url(&url).await.unwrap();
    let opening = Registry::open(log.clone(), "services");
    let registry: Registry<u16> = within("a registry", opening).await.unwrap();
    let session = session(&log, SHORT).await;
    let me = registry.register(&session, SERVICE, Member::new("b", 80));
    let _me = within("a registration", me).await.unwrap();
    std::future::pending::<()>().await;
}

/// It sees it as one difference, when its way is open again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_vanish_while_a_registry_is_cut_off_are_held_back_until_it_accepts_that() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let (_log, cut_off) = registry(&proxy.endpoint()).await;
    let (log, there) = registry(&server.endpoint()).await;
    let mut members = Vec::new();
    for id in ["a", "b", "c", "d"] {
        let session = session(&log, SHORT * 100).await;
        let member = there.register(&session, SERVICE, Member::new(id, 80));
        let member = within("a registration", member).await.unwrap();
        members.push((session, member));
    }
    lists(&cut_off, &["a", "b", "c", "d"]).await;
    proxy.cut();
    let picker = cut_off.picker(SERVICE, Pick::RoundRobin);
    // Their leases end, and nobody has drained.
    for (session, _) in &members[1..] {
        within("its end", session.close()).await.unwrap();
    }
    wait_until("its age grows", BOUND, || async {
        let age = cut_off.members(SERVICE).age();
        age.is_some_and(|age| age > Duration::from_secs(2))
    })
    .await;
    assert_eq!(ids(&cut_off).len(), 4);
    assert!(cut_off.status().held_back.is_empty());
    proxy.heal();
    wait_until("they are held back", BOUND, || async {
        cut_off.members(SERVICE).held_back() == 3
    })
    .await;
    assert_eq!(ids(&cut_off).len(), 4);
    let mut picked: Vec<_> = (0..8).map(|_| picker.pick().unwrap().id.clone()).collect();
    picked.sort();
    picked.dedup();
    assert_eq!(picked.len(), 4, "{picked:?}");
    cut_off.accept(SERVICE);
    lists(&cut_off, &["a"]).await;
}
