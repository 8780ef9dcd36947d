//! Many entries, over several leases; and how soon another process sees that a session was closed.
//!
//! Never waits for a lease to end by itself.

use std::collections::{HashMap, HashSet};

use globe::{LeaseId, SessionState, Version};
use globe_test_support::EtcdVersion;
use tokio::time::sleep;

use super::{LONG, Rig, SHORT};
use crate::node::{holds, synced, truth};

const MANY: u64 = 1_000;
/// As many as one transaction writes.
const CHUNK: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_entries_are_kept_over_several_leases_and_go_with_one_close() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let rig = Rig::new(version, SHORT).await;
        put_many(&rig).await;
        let before = all(&rig).await;
        sleep(SHORT * 2).await;
        assert_eq!(all(&rig).await, before, "all are kept, and none rewritten");
        let leases: HashSet<LeaseId> = before.values().map(|(_, lease)| *lease).collect();
        assert_eq!(leases.len(), rig.session.status().leases);
        assert!(leases.len() >= 2, "{leases:?}");
        assert_eq!(rig.session.status().entries as u64, MANY);

        rig.session.close().await.unwrap();
        assert!(truth(&rig.server).await.is_empty());
        let left = rig.leases().await;
        assert!(leases.iter().all(|lease| !left.contains(lease)), "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_entries_are_back_after_one_of_their_leases_was_revoked() {
    let mut rig = Rig::new(EtcdVersion::Reference, LONG).await;
    put_many(&rig).await;
    let before = all(&rig).await;
    let revoked = before["0000"].1;
    rig.revoke(revoked).await;
    assert_eq!(rig.restored().await as u64, MANY);
    let after = all(&rig).await;
    assert_eq!(after.len(), before.len());
    let old: HashSet<LeaseId> = before.values().map(|(_, lease)| *lease).collect();
    assert!(after.values().all(|(_, lease)| !old.contains(lease)));
    assert_eq!(rig.session.state(), SessionState::Live);
}

/// Long before the lease would end by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_closed_or_dropped_session_had_is_gone_at_once() {
    for is_closed in [true, false] {
        let rig = Rig::new(EtcdVersion::Reference, LONG).await;
        rig.put("a", 1).await;
        rig.is_kept("a").await;
        let Rig { session, other, .. } = rig;
        match is_closed {
            true => session.close().await.unwrap(),
            false => drop(session),
        }
        holds(&other, "it is gone", |map| map.is_empty()).await;
    }
}

async fn put_many(rig: &Rig) {
    let keys: Vec<u64> = (0..MANY).collect();
    for chunk in keys.chunks(CHUNK) {
        let put = |txn: &mut globe::Txn<'_>| {
            for number in chunk {
                let key = format!("{number:04}");
                txn.put_ephemeral(&rig.map, &rig.session, key, *number)?;
            }
            Ok(())
        };
        rig.map.transact(put).await.unwrap();
    }
}

/// The write and the lease of every entry, as another process sees them.
async fn all(rig: &Rig) -> HashMap<String, (Version, LeaseId)> {
    synced(&rig.other).await;
    let view = rig.other.view();
    let all = view.iter().map(|(key, entry)| {
        let lease = entry.lease().expect("under a lease");
        (key.clone(), (entry.version(), lease))
    });
    all.collect()
}
