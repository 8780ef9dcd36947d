//! Leases and entries that third parties end, and logs in another life.
//!
//! Never ends a lease through the client under test.

use globe::{ErrorKind, EtcdLog, Loss, Policy, Session, SessionEvent, SessionState};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};

use super::{End, LONG, Rig};
use crate::node::{BOUND, Numbers, truth, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_revoked_by_hand_is_replaced_and_the_entries_are_back() {
    for version in EtcdVersion::ALL {
        let mut rig = Rig::new(version, LONG).await;
        rig.put("a", 1).await;
        rig.put("b", 2).await;
        let (_, lease) = rig.standing("a").await;
        rig.revoke(lease).await;
        assert_eq!(rig.end().await, End::Lost(Loss::Revoked));
        assert_eq!(rig.restored().await, 2);
        rig.is_kept("a").await;
        rig.is_kept("b").await;
        assert_eq!(
            truth(&rig.server).await,
            [("a".into(), 1), ("b".into(), 2)].into()
        );
        rig.session.close().await.unwrap();
        assert!(truth(&rig.server).await.is_empty());
    }
}

/// At once, and not only when the next renewal is due.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_gives_up_is_closed_when_its_lease_is_revoked() {
    let mut rig = Rig::with(EtcdVersion::Reference, |builder| {
        builder.ttl(LONG).policy(Policy::GiveUp)
    })
    .await;
    rig.put("a", 1).await;
    let (_, lease) = rig.standing("a").await;
    rig.revoke(lease).await;
    assert_eq!(rig.end().await, End::Lost(Loss::Revoked));
    rig.is_in(SessionState::Lost(Loss::Closed)).await;
    let refused = rig.map.put_ephemeral(&rig.session, "a", 1).await;
    let error = refused.expect_err("it is closed");
    assert_eq!(*error.kind(), ErrorKind::Closed, "{error}");
    assert!(truth(&rig.server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_deleted_by_hand_is_put_back_and_one_that_is_overwritten_is_given_up() {
    for version in EtcdVersion::ALL {
        let mut rig = Rig::new(version, LONG).await;
        rig.put("deleted", 1).await;
        rig.put("overwritten", 1).await;
        let (written, lease) = rig.standing("deleted").await;
        rig.server.etcdctl(&["del", "flags/deleted"]).await;
        let back = |entry: &globe::Entry<u64>| entry.version() != written;
        let is_back = rig
            .other
            .wait_for(|view| view.get_entry("deleted").is_some_and(back));
        within("it is put back", is_back).await.unwrap();
        assert_eq!(
            rig.standing("deleted").await.1,
            lease,
            "the lease is the same"
        );

        rig.server.etcdctl(&["put", "flags/overwritten", "7"]).await;
        let SessionEvent::Displaced { keyspace, key, .. } = rig.event().await else {
            panic!("nothing else has happened");
        };
        assert_eq!((keyspace.as_str(), key.as_str()), ("flags", "overwritten"));
        assert_eq!(rig.session.status().entries, 1);
        rig.session.close().await.unwrap();
        assert_eq!(truth(&rig.server).await, [("overwritten".into(), 7)].into());
    }
}

/// The session's lease is in the backup as well, with what stood under it then. Where revisions go on from far ahead, nothing
/// says that this is another life, and the lease may be gone on with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_that_has_the_lease_has_what_is_wanted_and_nothing_else() {
    for bump in [None, Some(1_000_000)] {
        let mut rig = Rig::new(EtcdVersion::Reference, LONG).await;
        rig.put("kept", 1).await;
        rig.put("given back", 1).await;
        let (written, lease) = rig.standing("kept").await;
        let backup = rig.server.save_snapshot().await;
        rig.map.delete("given back").await.unwrap();
        rig.put("new", 2).await;
        rig.server.restore_snapshot(&backup, bump).await;
        if bump.is_none() {
            assert_eq!(rig.end().await, End::Lost(Loss::EpochChanged));
            rig.restored().await;
            let kept = rig.entry("kept").await.unwrap();
            assert_ne!(kept.lease(), Some(lease));
            let created = kept.created().revision();
            assert_eq!(created, written.revision(), "it stood all the while");
            wait_until("the lease of the former life is revoked", BOUND, || async {
                !rig.leases().await.contains(&lease)
            })
            .await;
        }
        let wanted = [("kept".into(), 1), ("new".into(), 2)].into();
        wait_until("what is wanted stands, and nothing else", BOUND, || async {
            truth(&rig.server).await == wanted
        })
        .await;
        rig.is_kept("kept").await;
        rig.is_kept("new").await;
        rig.session.close().await.unwrap();
        assert!(truth(&rig.server).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_from_before_the_session_has_its_entries_again() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let empty = server.save_snapshot().await;
    for bump in [None, Some(1_000_000)] {
        let mut rig = Rig::new(EtcdVersion::Reference, LONG).await;
        rig.put("a", 1).await;
        let (_, lease) = rig.standing("a").await;
        rig.server.restore_snapshot(&empty, bump).await;
        let end = rig.end().await;
        assert!(matches!(end, End::Lost(_)), "{end:?}");
        rig.restored().await;
        rig.is_kept("a").await;
        assert_ne!(rig.standing("a").await.1, lease);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_log_has_the_entries_again() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let mut rig = Rig::new(version, LONG).await;
        rig.put("a", 1).await;
        for _ in 0..2 {
            rig.server.wipe().await;
            let end = rig.end().await;
            assert!(matches!(end, End::Lost(_)), "{end:?}");
            rig.restored().await;
            rig.is_kept("a").await;
        }
        rig.session.close().await.unwrap();
        assert!(truth(&rig.server).await.is_empty());
    }
}

/// Its role knows nothing of Globe's own records: which life of the log this is, only a map tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_user_of_one_keyspace_has_sessions_once_a_map_is_open() {
    for version in EtcdVersion::ALL {
        let mut server = EtcdServer::start(version).await;
        server
            .enable_auth("root-pw", &[("app", "app-pw", "flags/")])
            .await;
        let log = EtcdLog::builder().endpoint(server.endpoint());
        let log = log.user("app", "app-pw").connect().await.unwrap();
        let early = within("a refusal", Session::open(log.clone())).await;
        let error = early.expect_err("it cannot know the life of the log");
        assert_eq!(*error.kind(), ErrorKind::Denied, "{error}");

        let map = within("a map", Numbers::open(log.clone(), "flags"));
        let map = map.await.unwrap();
        let session = within("a session", Session::open(log)).await.unwrap();
        let mut events = session.events();
        map.put_ephemeral(&session, "a", 1).await.unwrap();
        let lease = map.get_entry("a").unwrap().lease().unwrap().to_string();
        server.etcdctl(&["lease", "revoke", &lease]).await;
        loop {
            let event = within("an event", events.next()).await;
            if matches!(event, Some(SessionEvent::Restored { put_back: 1, .. })) {
                break;
            }
        }
        assert_eq!(truth(&server).await, [("a".into(), 1)].into());
        session.close().await.unwrap();
        assert!(truth(&server).await.is_empty());
    }
}
