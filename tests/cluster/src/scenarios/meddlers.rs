//! Somebody without Globe, who ends leases and lays hands on claims.
//!
//! The members themselves are well.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use etcd_client::{Client, GetOptions, KeyValue};
use globe::Claim;
use globe_oracle::{At, Event, Meddled, Meddling, Place, RECIPE_KEYSPACES};
use tokio::time::{sleep, timeout};

use crate::site::{CLAIMS, PRESENT, SESSIONS, Site};

/// How often somebody meddles.
const TIMES: usize = 6;
/// Between two times: some times a session was restored by then, and some times not.
const REST: Duration = Duration::from_millis(500);
/// How long a member may take to answer, and how often it is asked.
const ANSWER: Duration = Duration::from_secs(1);
const TRIES: usize = 20;
/// How long a member may take to hear that it leads no more.
const HEARS: Duration = Duration::from_secs(1);
/// What nobody can read,
const UNREADABLE: &str = "?";
/// and how long it stands.
const STANDS: Duration = Duration::from_millis(300);

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
    let owners = owners(client).await;
    site.breaks(format!("{} leases are revoked", owners.len()));
    for (lease, owner) in owners {
        let call = site.recorder.now();
        let revoked = client.lease_revoke(lease).await;
        // Its session may have been faster.
        if !revoked.as_ref().is_err_and(is_no_lease) {
            meddled(site, Meddling::Session(owner), call, revoked.is_ok());
        }
    }
}

/// The leases that something stands under, and the names of the sessions they are of.
async fn owners(client: &mut Client) -> BTreeMap<i64, String> {
    let mut owners = BTreeMap::new();
    for keyspace in [SESSIONS, PRESENT, CLAIMS] {
        for record in records(client, keyspace).await {
            owners.insert(record.lease(), owner(&record));
        }
    }
    owners.remove(&0);
    owners
}

/// A member that stood still goes on. If it led, it may end leases that others have renewed meanwhile, before it has heard that
/// it leads no more: etcd-io/etcd#12528, #15247; since 3.5.13 that is rare, and was seen on 3.5.30. From then on a session may
/// have lost its lease before its time.
pub(crate) async fn goes_on(site: &mut Site, member: usize) {
    let others = (member + 1) % site.members();
    let source = &site.sources()[others];
    let mut client = source.connect().await.expect("a member that is well");
    let owners = owners(&mut client).await;
    let mut members = Vec::new();
    for keyspace in RECIPE_KEYSPACES {
        let leased = records(&mut client, keyspace).await.into_iter();
        let leased = leased.filter(|record| record.lease() != 0);
        members.extend(leased.map(|record| place(keyspace, &record)));
    }
    let call = site.recorder.now();
    site.in_doubt.store(true, Ordering::SeqCst);
    site.cluster[member].resume();
    sleep(HEARS).await;
    for owner in owners.into_values() {
        meddled(site, Meddling::Session(owner), call, true);
    }
    for place in members {
        meddled(site, Meddling::Record(place), call, true);
    }
}

fn is_no_lease(error: &etcd_client::Error) -> bool {
    error.to_string().contains("requested lease not found")
}

/// Claims and entries are deleted, and claims written over: with something that nobody can read, and without a lease.
pub(crate) async fn lay_hands_on_claims(site: &mut Site) {
    let mut client = client(site).await;
    for _ in 0..TIMES {
        for keyspace in [SESSIONS, PRESENT, CLAIMS] {
            for record in some(site, records(&mut client, keyspace).await) {
                delete(site, &mut client, keyspace, &record).await;
            }
        }
        site.lasts(REST).await;
        let written = some(site, records(&mut client, CLAIMS).await);
        for record in &written {
            let place = place(CLAIMS, record);
            site.breaks(format!("{} is written over", place.key));
            let call = site.recorder.now();
            let put = client.put(record.key(), UNREADABLE, None).await;
            meddled(site, Meddling::Record(place), call, put.is_ok());
        }
        sleep(STANDS).await;
        for record in &written {
            // It is in the way of all others, and ends with no lease.
            delete(site, &mut client, CLAIMS, record).await;
        }
        site.lasts(REST).await;
    }
}

async fn delete(site: &Site, client: &mut Client, keyspace: &str, record: &KeyValue) {
    let place = place(keyspace, record);
    site.breaks(format!("{} is deleted", place.key));
    let call = site.recorder.now();
    let deleted = client.delete(record.key(), None).await;
    meddled(site, Meddling::Record(place), call, deleted.is_ok());
}

/// Says so: of what is done here, its owner learns only from the log.
fn meddled(site: &Site, whose: Meddling, call: At, is_done: bool) {
    let ret = is_done.then(|| site.recorder.now());
    let meddled = Meddled { whose, call, ret };
    site.recorder.record(Event::Meddled(meddled));
}

pub(crate) async fn client(site: &mut Site) -> Client {
    let source = &site.sources()[0];
    source.connect().await.expect("a healthy member")
}

/// All records of a keyspace; there may be an election under way.
async fn records(client: &mut Client, keyspace: &str) -> Vec<KeyValue> {
    for _ in 0..TRIES {
        let prefix = GetOptions::new().with_prefix();
        let answer = client.get(format!("{keyspace}/"), Some(prefix));
        if let Ok(Ok(answer)) = timeout(ANSWER, answer).await {
            return answer.kvs().to_vec();
        }
        sleep(ANSWER / 10).await;
    }
    panic!("no answer from a member that is well");
}

/// Each with one chance in three.
fn some(site: &mut Site, mut records: Vec<KeyValue>) -> Vec<KeyValue> {
    records.retain(|record| record.lease() != 0 && site.rng.u8(..3) == 0);
    records
}

fn place(keyspace: &str, record: &KeyValue) -> Place {
    let name = String::from_utf8_lossy(record.key());
    let key = name.split_once('/').map_or("", |(_, key)| key);
    Place {
        keyspace: keyspace.to_owned(),
        key: key.to_owned(),
    }
}

/// The name of the session that a record is of: a claim says it, and an entry of the oracle's has it in its key.
fn owner(record: &KeyValue) -> String {
    if let Ok(claim) = serde_json::from_slice::<Claim>(record.value())
        && !claim.by.is_empty()
    {
        return claim.by;
    }
    let key = place("", record).key;
    key.rsplit_once('-')
        .map_or(String::new(), |(name, _)| name.to_owned())
}
