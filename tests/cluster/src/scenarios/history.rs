//! History that is forgotten, lost, or replaced by another.
//!
//! What is forgotten was committed: nobody may miss what it left behind.

use std::time::Duration;

use etcd_client::Client;
use globe::{EtcdLog, Globe, Position, Revision};
use globe_oracle::{Action, Event, KEYSPACES, Op, Outcome, Place, Value};
use globe_test_support::Proxy;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::meddlers;
use crate::site::Site;

/// How long history is forgotten all the time; a third of it passes between a backup and its restore.
const WHILE: Duration = Duration::from_secs(6);

pub(crate) async fn compact_always(site: &mut Site) {
    let rounds = WHILE.as_millis() / 100;
    for round in 0..rounds {
        if round % 15 == 7 {
            // Whoever is away meanwhile comes back to a log that has forgotten.
            site.breaks("connections are reset while history is forgotten");
            site.all_doors().for_each(Proxy::cut);
        }
        compact(site, 0).await;
        sleep(Duration::from_millis(60)).await;
        site.all_doors().for_each(Proxy::heal);
    }
}

/// Forgets everything before the newest revision, less a few.
async fn compact(site: &Site, keep: u64) {
    let member = &site.cluster[0];
    let newest = member.revision().await;
    site.breaks(format!("history before {} is forgotten", newest - keep));
    let revision = (newest - keep).to_string();
    // Another compaction may have gone further meanwhile.
    let _ = member.try_etcdctl(&["compact", &revision]).await;
}

/// Nodes are away; the log forgets up to where they stood, one less, one more, and exactly a delete.
pub(crate) async fn compact_at_the_cursor(site: &mut Site) {
    for offset in [-1_i64, 0, 1, 2] {
        site.loses_all("the nodes are away");
        site.all_doors().for_each(Proxy::cut);
        sleep(Duration::from_millis(300)).await;
        let cursor = site.nodes[0]
            .first
            .position()
            .unwrap_or_default()
            .revision
            .0;
        for key in ["k0", "k1"] {
            put_and_delete(site, key).await;
        }
        let member = &site.cluster[0];
        let newest = member.revision().await;
        let revision = cursor.saturating_add_signed(offset).clamp(1, newest);
        site.breaks(format!(
            "history before {revision} is forgotten; a node stands at {cursor}"
        ));
        let revision = revision.to_string();
        let _ = member.try_etcdctl(&["compact", &revision]).await;
        site.mends("the nodes come back");
        site.all_doors().for_each(Proxy::heal);
        sleep(Duration::from_millis(1500)).await;
    }
}

/// Somebody without Globe writes a key and deletes it, and says so to the oracle.
async fn put_and_delete(site: &Site, key: &str) {
    let recorder = &site.recorder;
    let place = Place {
        keyspace: KEYSPACES[0].to_owned(),
        key: key.to_owned(),
    };
    let client = recorder.number();
    let tag = format!("operator-{client}");
    let name = format!("{}/{key}", KEYSPACES[0]);
    let epoch = site.nodes[0].first.position().unwrap_or_default().epoch;
    let endpoint = site.cluster[0].endpoint();
    let mut etcd = Client::connect([endpoint], None).await.expect("a client");
    let mut op = Op {
        client,
        node: u32::MAX,
        action: Action::Put(place.clone()),
        tags: vec![tag.clone()],
        call: recorder.now(),
        ret: None,
        given_up: None,
        outcome: Outcome::Never,
    };
    let value = format!("{{\"tag\":\"{tag}\"}}");
    let put = etcd.put(name.as_str(), value, None).await.expect("a put");
    let revision = put
        .header()
        .map_or(0, etcd_client::ResponseHeader::revision);
    let position = Position::new(epoch, Revision(revision.unsigned_abs()));
    op.ret = Some(recorder.now());
    op.outcome = Outcome::Done(Some(position));
    recorder.record(Event::Op(op.clone()));
    op.action = Action::Delete(place);
    op.tags.clear();
    op.call = recorder.now();
    etcd.delete(name.as_str(), None).await.expect("a delete");
    op.ret = Some(recorder.now());
    op.outcome = Outcome::Done(None);
    recorder.record(Event::Op(op));
}

/// Maps are opened over many small pages while the log forgets.
pub(crate) async fn compact_while_hydrating(site: &mut Site) {
    let log = EtcdLog::builder()
        .endpoint(site.cluster[0].endpoint())
        .page_size(10)
        .connect()
        .await
        .expect("good settings");
    let bulk = Globe::<String, Value>::open(log.clone(), "bulk").await;
    let bulk = bulk.expect("a map");
    let entries = (0..2_000).map(|number| (format!("{number:05}"), Value::default()));
    bulk.put_all(entries).await.expect("2000 entries");
    for _ in 0..10 {
        let mut opening = JoinSet::new();
        for keyspace in ["bulk", KEYSPACES[0]] {
            let log = log.clone();
            opening.spawn(async move {
                let map = Globe::<String, Value>::open(log, keyspace).await;
                map.map(|map| map.len())
            });
        }
        for _ in 0..5 {
            compact(site, 0).await;
        }
        while let Some(opened) = opening.join_next().await {
            let entries = opened.expect("no panic").expect("a map opens all the same");
            assert!(entries > 0, "an empty map was shown as hydrated");
        }
    }
    assert_eq!(bulk.len(), 2_000);
}

pub(crate) async fn wipe(site: &mut Site) {
    away(site, "the log is wiped").await;
    site.cluster[0].erase();
}

pub(crate) async fn restore(site: &mut Site) {
    let snapshot = site.cluster[0].save_snapshot().await;
    sleep(WHILE / 3).await;
    away(site, "an older log is restored").await;
    site.cluster[0].restore_snapshot(&snapshot, None).await;
}

pub(crate) async fn restore_with_bump(site: &mut Site) {
    let snapshot = site.cluster[0].save_snapshot().await;
    sleep(WHILE / 3).await;
    away(site, "an older log is restored, with a bump").await;
    let bump = Some(1_000_000);
    site.cluster[0].restore_snapshot(&snapshot, bump).await;
}

/// Before any lease in it can end: whoever holds something then held it when it was made.
pub(crate) async fn restore_at_once(site: &mut Site) {
    let snapshot = site.cluster[0].save_snapshot().await;
    away(site, "a log is restored that is hardly older").await;
    site.cluster[0].restore_snapshot(&snapshot, None).await;
}

/// It brings leases back that were revoked, and what stood under them, beside those that were granted since.
pub(crate) async fn restore_dead_leases(site: &mut Site) {
    let snapshot = site.cluster[0].save_snapshot().await;
    let mut client = meddlers::client(site).await;
    meddlers::revoke_all(site, &mut client).await;
    sleep(WHILE / 3).await;
    away(site, "a log is restored, with leases that were revoked").await;
    site.cluster[0].restore_snapshot(&snapshot, None).await;
}

/// The nodes are away, and everything committed so far is heard by who tells the truth.
async fn away(site: &mut Site, why: &str) {
    site.loses_all(why);
    site.all_doors().for_each(Proxy::cut);
    // The witness goes past the doors.
    sleep(Duration::from_secs(1)).await;
}
