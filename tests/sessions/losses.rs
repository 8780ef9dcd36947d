//! When a lease is gone: what is put back, what is left to others, and what its owner is told.

use globe::{
    Claims, ErrorKind, Fenced, Lock, LogClient, Loss, Session, SessionEvent, SessionState,
};
use tokio::time::sleep;

use crate::rig::{fails_with, follows_life, keyspace, open, put_all, reaches, until, within};
use crate::{Rig, SECOND, TTL, give_up, is_in, reclaim};

#[tokio::test(start_paused = true)]
async fn entries_are_put_back_under_another_lease_when_one_is_revoked() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.put("b", 2).await;
    rig.other.sync().await.unwrap();
    let before = rig.lease("a");
    rig.revoke("a").await;
    assert_eq!(rig.lost().await, Loss::Revoked);
    assert_eq!(rig.restored().await, (2, vec![]));
    rig.shows(&[("a", 1), ("b", 2)]).await;
    assert_ne!(rig.lease("a"), before);
    assert_eq!(rig.session.state(), SessionState::Live);
}

#[tokio::test(start_paused = true)]
async fn an_outage_in_which_the_lease_ended_is_a_loss_with_its_reason() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.way.cut(true);
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    rig.shows(&[]).await;
    rig.way.cut(false);
    assert_eq!(rig.lost().await, Loss::Expired);
    assert_eq!(rig.restored().await, (1, vec![]));
    rig.shows(&[("a", 1)]).await;
}

/// One that is permanent is never written over; one of another session only where the policy says so.
#[tokio::test(start_paused = true)]
async fn what_others_have_registered_meanwhile_is_left_to_them_unless_it_is_reclaimed() {
    for (reclaims, back) in [(false, vec!["free"]), (true, vec!["free", "leased"])] {
        let mut rig = Rig::with(|builder| match reclaims {
            true => reclaim(builder),
            false => builder,
        })
        .await;
        for key in ["free", "leased", "permanent"] {
            rig.put(key, 1).await;
        }
        rig.way.cut(true);
        rig.shows(&[]).await;
        let second = Session::open(rig.log.clone()).await.unwrap();
        put_all(&rig.other, [("permanent", 7)]).await;
        let put = rig.other.put_ephemeral(&second, "leased", 7);
        put.await.unwrap();
        rig.way.cut(false);
        let (put_back, kept_out) = rig.restored().await;
        assert_eq!(put_back, back.len());
        assert_eq!(put_back + kept_out.len(), 3, "{kept_out:?}");
        assert!(kept_out.contains(&"permanent".to_owned()));
        let leased = if reclaims { 1 } else { 7 };
        rig.shows(&[("free", 1), ("leased", leased), ("permanent", 7)])
            .await;
        assert_eq!(rig.session.status().entries, back.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_gives_up_ends_with_its_lease() {
    let mut rig = Rig::with(give_up).await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    rig.revoke("a").await;
    assert_eq!(rig.lost().await, Loss::Revoked);
    assert_eq!(rig.lost().await, Loss::Closed);
    is_in(&rig.session, SessionState::Lost(Loss::Closed)).await;
    let put = rig.map.put_ephemeral(&rig.session, "a", 1).await;
    fails_with(put, ErrorKind::Closed);
    fails_with(rig.session.live().await, ErrorKind::Closed);
    sleep(TTL).await;
    assert!(rig.seen().await.is_empty());
}

/// The entries, as the backup has them, are under a lease that the backup brought back: they are taken over.
#[tokio::test(start_paused = true)]
async fn in_another_life_of_the_log_entries_are_written_under_a_lease_of_that_life() {
    let mut rig = Rig::new().await;
    rig.put("old", 1).await;
    let backup = rig.log.backup();
    rig.put("new", 2).await;
    rig.map.put("old", 3).await.unwrap();
    rig.other.sync().await.unwrap();
    let before = rig.lease("old").unwrap();
    rig.log.restore(&backup);
    assert_eq!(rig.lost().await, Loss::EpochChanged);
    let (put_back, kept_out) = rig.restored().await;
    assert_eq!((put_back, kept_out), (2, vec![]));
    // With the newest value that its owner knows.
    rig.other.sync().await.unwrap();
    rig.shows(&[("new", 2), ("old", 3)]).await;
    assert_ne!(rig.lease("old"), Some(before));
    rig.log.revoke(before).await.unwrap();
    sleep(TTL * 3).await;
    assert_eq!(rig.seen().await.len(), 2);
}

/// However long that takes: what a backup has of them stands until it is taken over.
#[tokio::test(start_paused = true)]
async fn what_a_restore_brought_back_is_taken_over_without_a_gap() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    let backup = rig.log.backup();
    rig.map.put("a", 2).await.unwrap();
    rig.way.hold_snapshots(true);
    rig.log.restore(&backup);
    follows_life(&rig.other, &rig.log).await;
    let before = rig.lease_of("a").await;
    let mut watch = rig.other.watch();
    rig.lost().await;
    // Renewals go on meanwhile.
    sleep(TTL * 2 / 5).await;
    rig.way.hold_snapshots(false);
    rig.restored().await;
    rig.shows(&[("a", 2)]).await;
    assert_ne!(rig.lease_of("a").await, before);
    sleep(TTL).await;
    rig.shows(&[("a", 2)]).await;
    let changes = watch.next().await.unwrap();
    assert!(changes.iter().all(|change| change.new().is_some()));
    assert!(
        !changes.iter().any(globe::Change::is_recreated),
        "it was gone"
    );
}

/// Also where no map shows it: the lease alone says that it is of another life.
#[tokio::test(start_paused = true)]
async fn a_wiped_log_has_the_entries_again() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    for _ in 0..3 {
        rig.log.wipe();
        rig.lost().await;
        rig.restored().await;
        rig.shows(&[("a", 1)]).await;
        assert_eq!(rig.session.state(), SessionState::Live);
    }
}

/// Leases of before are revoked until they have ended by themselves, and nothing that is wanted is under them.
#[tokio::test(start_paused = true)]
async fn a_late_revoke_deletes_no_new_entry() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    let backup = rig.log.backup();
    rig.put("b", 2).await;
    rig.way.hold_revocations(true);
    let lease = rig.lease_of("a").await;
    rig.log.restore(&backup);
    rig.lost().await;
    until("the entry is taken over", || {
        rig.other.get_entry("a").is_some_and(|a| a.lease() != lease)
    })
    .await;
    rig.way.hold_revocations(false);
    rig.restored().await;
    sleep(TTL * 5).await;
    rig.shows(&[("a", 1), ("b", 2)]).await;
}

/// The second loss comes while the first is not yet healed.
#[tokio::test(start_paused = true)]
async fn a_loss_during_a_restoration_is_healed_as_well() {
    let mut rig = Rig::new().await;
    for key in ["a", "b", "c"] {
        rig.put(key, 1).await;
    }
    rig.other.sync().await.unwrap();
    let log = rig.log.clone();
    rig.way.before_the_next_commit(move || log.wipe());
    rig.revoke("a").await;
    rig.lost().await;
    let (put_back, _) = rig.restored().await;
    assert_eq!(put_back, 3, "each once");
    rig.shows(&[("a", 1), ("b", 1), ("c", 1)]).await;
}

/// What could not be told from a failure was done all the same.
#[tokio::test(start_paused = true)]
async fn an_entry_that_is_back_by_a_write_of_unknown_outcome_is_counted() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.put("b", 2).await;
    rig.other.sync().await.unwrap();
    let way = rig.way.clone();
    rig.way
        .after_the_next_commit(move || way.lose_replies(true));
    rig.revoke("a").await;
    rig.shows(&[]).await;
    rig.shows(&[("a", 1), ("b", 2)]).await;
    rig.way.lose_replies(false);
    assert_eq!(rig.restored().await, (2, vec![]));
}

/// However long it takes: the log is away while the session is to be restored.
#[tokio::test(start_paused = true)]
async fn a_session_is_restored_however_long_its_log_is_away() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    let way = rig.way.clone();
    rig.revoke("a").await;
    rig.lost().await;
    way.cut(true);
    sleep(TTL * 200).await;
    assert!(!matches!(rig.session.state(), SessionState::Live));
    way.cut(false);
    rig.restored().await;
    rig.shows(&[("a", 1)]).await;
}

/// The lease that was taken for that has ended as well when the log is back, which is one more attempt that fails.
#[tokio::test(start_paused = true)]
async fn the_next_lease_is_asked_for_within_half_of_the_time_it_lives() {
    let mut rig = Rig::with(|builder| builder.ttl(SECOND)).await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    rig.way.lose_requests(true);
    rig.revoke("a").await;
    rig.lost().await;
    until("another lease is had", || rig.session.status().leases == 1).await;
    rig.way.cut(true);
    rig.way.lose_requests(false);
    sleep(SECOND * 60).await;
    rig.way.cut(false);
    let (grants, healed) = (rig.way.calls().grants, tokio::time::Instant::now());
    until("another lease is asked for", || {
        rig.way.calls().grants > grants
    })
    .await;
    assert!(healed.elapsed() <= SECOND / 2, "{:?}", healed.elapsed());
    rig.restored().await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_entries_are_back_after_a_lost_lease() {
    const MANY: usize = 10_000;
    let mut capabilities = globe::MemoryLog::new().capabilities();
    capabilities.records_per_lease = 512;
    let log = globe::MemoryLog::builder()
        .capabilities(capabilities)
        .build();
    // On a busy machine it takes seconds, which the second clock counts although the first stands still.
    let ttl = SECOND * 120;
    let mut rig = Rig::on(log, |builder| builder.ttl(ttl)).await;
    let keys: Vec<String> = (0..MANY).map(|n| format!("{n:05}")).collect();
    for chunk in keys.chunks(100) {
        let put = |txn: &mut globe::Txn<'_>| {
            for key in chunk {
                txn.put_ephemeral(&rig.map, &rig.session, key.as_str(), 1)?;
            }
            Ok(())
        };
        rig.map.transact(put).await.unwrap();
    }
    rig.way.cut(true);
    sleep(ttl).await;
    rig.shows(&[]).await;
    rig.way.cut(false);
    let commits = rig.way.calls().commits;
    let (put_back, kept_out) = rig.restored().await;
    assert_eq!((put_back, kept_out.len()), (MANY, 0));
    let commits = rig.way.calls().commits - commits;
    assert!(commits <= MANY.div_ceil(128) + 8, "{commits} transactions");
    assert_eq!(rig.seen().await.len(), MANY);
    assert_eq!(rig.session.status().leases, MANY.div_ceil(512));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_listen_is_told_how_much_was_missed() {
    // It takes seconds, which the second clock counts although the first stands still.
    let mut rig = Rig::with(|builder| builder.ttl(SECOND * 300)).await;
    rig.put("a", 1).await;
    for number in 0..300 {
        let key = format!("{number}");
        rig.put(&key, 1).await;
        rig.other.sync().await.unwrap();
        let detached = globe::log_client::Transaction::new();
        let detached = detached.put(&keyspace("numbers"), key, "7");
        rig.log.commit(detached).await.unwrap();
        until("it is displaced", || rig.session.status().entries == 1).await;
    }
    let SessionEvent::Missed(missed) = rig.event().await else {
        panic!("some are forgotten");
    };
    let mut heard = 0;
    while heard < 300 - missed {
        assert!(matches!(rig.event().await, SessionEvent::Displaced { .. }));
        heard += 1;
    }
}

/// It was asked for under one lease, and is written under the next.
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_written_after_a_loss_waits_its_turn() {
    let mut rig = Rig::new().await;
    let session = Session::open(rig.log.clone()).await.unwrap();
    let theirs: Claims = open(&rig.log, "claims").await;
    let holder = Lock::new(&theirs, &session, "a").unwrap().acquire().await;
    let holder = holder.unwrap();

    let claims: Claims = open(&rig.way, "claims").await;
    let claims = claims.with_deadline(TTL * 10);
    let lock = Lock::new(&claims, &rig.session, "a").unwrap();
    rig.way.cut(true);
    let asking = tokio::spawn(async move { lock.acquire().await });
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    sleep(TTL).await;
    rig.way.cut(false);
    assert_eq!(rig.lost().await, Loss::Expired);
    until("its claim stands", || theirs.len() == 2).await;
    sleep(TTL).await;
    assert!(!asking.is_finished() && holder.is_held());
    holder.release().await.unwrap();
    let next = within("it is let in", asking).await.unwrap().unwrap();
    assert!(next.is_held());
}

/// Somebody else registered there while the session was away, and its own process wrote over that before it was back.
#[tokio::test(start_paused = true)]
async fn a_reclaimed_entry_has_the_value_that_its_own_process_wrote_last() {
    let mut rig = Rig::with(reclaim).await;
    let successor = Session::open(rig.log.clone()).await.unwrap();
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    // What is missing at its restoration is a fresh look at the map.
    rig.way.freeze_reads(true);
    rig.revoke("a").await;
    rig.other.sync().await.unwrap();
    rig.lost().await;
    let put = rig.other.put_ephemeral(&successor, "a", 5).await;
    let put = put.unwrap().position();
    reaches(&rig.map, put).await;
    let updated = rig.map.update("a", |old| old.map_or(0, |old| old + 1));
    assert_eq!(**updated.await.unwrap().value(), 6);
    rig.way.freeze_reads(false);
    rig.restored().await;
    rig.shows(&[("a", 6)]).await;
    let entry = rig.map.get_entry("a").unwrap();
    assert!(rig.session.owns(&entry));
}
