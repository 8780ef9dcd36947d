//! A log that is wiped or restored from a backup under its maps.

use globe::{Consistency, ErrorKind, Globe};
use globe_test_support::{EtcdServer, EtcdVersion};

use crate::node::{Fold, Numbers, contents, holds, node, synced, truth, within};

/// Both maps have moved to what the server holds now, in one new life of the log.
async fn are_reborn(server: &EtcdServer, maps: [&Numbers; 2], before: globe::Position) {
    for map in maps {
        let moved = map.wait_for(|view| view.position().epoch != before.epoch);
        within("another epoch", moved).await.unwrap();
        synced(map).await;
        assert_eq!(contents(map), truth(server).await);
        assert_eq!(map.status().violations, 0);
        let old = within("a refusal", map.view_at(Consistency::AtLeast(before))).await;
        let error = old.expect_err("that was another life");
        assert_eq!(error.kind(), &ErrorKind::EpochChanged, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_log_empties_its_maps_and_is_followed_anew() {
    for version in EtcdVersion::ALL {
        let mut server = EtcdServer::start(version).await;
        let (one, two) = (node(&server.url()).await, node(&server.url()).await);
        let folds = (Fold::of(&one), Fold::of(&two));
        for number in 0..10 {
            one.put(format!("old-{number}"), number).await.unwrap();
        }
        synced(&two).await;
        let before = one.position().unwrap();
        server.wipe().await;
        server.etcdctl(&["put", "flags/new", "1"]).await;
        are_reborn(&server, [&one, &two], before).await;
        two.put("after", 2).await.unwrap();
        holds(&one, "what was written after", |map| {
            map.contains_key("after")
        })
        .await;
        folds.0.ends_exact(&one).await;
        folds.1.ends_exact(&two).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_takes_its_maps_back_with_it() {
    for bump in [None, Some(1_000_000)] {
        let mut server = EtcdServer::start(EtcdVersion::Reference).await;
        let (one, two) = (node(&server.url()).await, node(&server.url()).await);
        let folds = (Fold::of(&one), Fold::of(&two));
        one.put("kept", 1).await.unwrap();
        one.put("deleted later", 1).await.unwrap();
        let backup = server.save_snapshot().await;
        one.put("kept", 2).await.unwrap();
        one.put("lost", 1).await.unwrap();
        one.delete("deleted later").await.unwrap();
        synced(&two).await;
        let before = one.position().unwrap();
        server.restore_snapshot(&backup, bump).await;
        if bump.is_none() {
            are_reborn(&server, [&one, &two], before).await;
        }
        for map in [&one, &two] {
            holds(map, "the backup", |map| {
                map.get("kept") == Some(&1) && !map.contains_key("lost")
            })
            .await;
        }
        one.update("kept", |old| old.copied().unwrap_or(0) + 10)
            .await
            .unwrap();
        holds(&two, "the update", |map| map["kept"] == 11).await;
        assert_eq!(contents(&two), truth(&server).await);
        folds.0.ends_exact(&one).await;
        folds.1.ends_exact(&two).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_guarded_by_another_life_is_refused() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let map: Numbers = Globe::connect(&server.url(), "flags").await.unwrap();
    map.put("a", 1).await.unwrap();
    let backup = server.save_snapshot().await;
    map.put("a", 2).await.unwrap();
    let before = map.position().unwrap();
    server.restore_snapshot(&backup, None).await;
    // The same number comes again, for another write.
    server.etcdctl(&["put", "flags/a", "7"]).await;
    while server.revision().await < before.revision.0 {
        server.etcdctl(&["put", "flags/a", "7"]).await;
    }
    let moved = map.wait_for(|view| view.position().epoch != before.epoch);
    within("another epoch", moved).await.unwrap();
    let sum = map.update("a", |old| old.copied().unwrap_or(0) + 100);
    let sum = within("an update", sum).await.unwrap();
    assert_eq!(
        **sum.value(),
        107,
        "computed from what stands there in this life"
    );
}
