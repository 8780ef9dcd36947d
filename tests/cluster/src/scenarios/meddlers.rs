//! Somebody without Globe, who ends leases and lays hands on claims.
//!
//! The members themselves are well.

use std::time::Duration;

use etcd_client::{Client, GetOptions, KeyValue};
use tokio::time::sleep;

use crate::site::{CLAIMED, PRESENT, Site};

/// How often somebody meddles.
const TIMES: usize = 6;
/// Between two times: some times a session was restored by then, and some times not.
const REST: Duration = Duration::from_millis(500);
/// How long something stands that nobody can read.
const UNREADABLE: Duration = Duration::from_millis(300);

/// Every lease of a session with an entry or a claim.
pub(crate) async fn revoke(site: &mut Site) {
    let mut client = client(site).await;
    for _ in 0..TIMES {
        revoke_all(site, &mut client).await;
        site.lasts(REST).await;
    }
}

/// Once.
pub(crate) async fn revoke_all(site: &Site, client: &mut Client) {
    let mut leases: Vec<i64> = Vec::new();
    for keyspace in [PRESENT, CLAIMED] {
        let records = records(client, keyspace).await;
        leases.extend(records.iter().map(KeyValue::lease));
    }
    leases.sort_unstable();
    leases.dedup();
    leases.retain(|lease| *lease != 0);
    site.breaks(format!("{} leases are revoked", leases.len()));
    for lease in leases {
        // Its session may have been faster.
        let _ = client.lease_revoke(lease).await;
    }
}

/// Claims and entries are deleted, and claims written over: with something that nobody can read, and without a lease.
pub(crate) async fn lay_hands_on_claims(site: &mut Site) {
    let mut client = client(site).await;
    for _ in 0..TIMES {
        for keyspace in [PRESENT, CLAIMED] {
            for record in some(site, records(&mut client, keyspace).await) {
                site.breaks(format!("{} is deleted", name(&record)));
                client.delete(record.key(), None).await.expect("a delete");
            }
        }
        site.lasts(REST).await;
        let written = some(site, records(&mut client, CLAIMED).await);
        for record in &written {
            site.breaks(format!("{} is written over", name(record)));
            client.put(record.key(), "?", None).await.expect("a put");
        }
        sleep(UNREADABLE).await;
        for record in &written {
            // It is in the way of all others, and ends with no lease.
            client.delete(record.key(), None).await.expect("a delete");
        }
        site.lasts(REST).await;
    }
}

pub(crate) async fn client(site: &mut Site) -> Client {
    let source = &site.sources()[0];
    source.connect().await.expect("a healthy member")
}

async fn records(client: &mut Client, keyspace: &str) -> Vec<KeyValue> {
    let prefix = GetOptions::new().with_prefix();
    let answer = client.get(format!("{keyspace}/"), Some(prefix)).await;
    answer.expect("a healthy member").kvs().to_vec()
}

/// Each with one chance in three.
fn some(site: &mut Site, mut records: Vec<KeyValue>) -> Vec<KeyValue> {
    records.retain(|record| record.lease() != 0 && site.rng.u8(..3) == 0);
    records
}

fn name(record: &KeyValue) -> String {
    String::from_utf8_lossy(record.key()).into_owned()
}
