//! What ends with a lease: everything that hangs on it, nothing else, and whoever dies while it does that.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::collections::BTreeSet;

use futures::FutureExt;
use globe_leases::LeasedLog;
use globe_log_client::{ErrorKind, LeaseId, LogClient, Transaction, Write};
use globe_memory::MemoryLog;
use rig::{
    SOON, TTL, Way, Wire, bare, client, emptied, join, keys, keyspace, kind, leased, leases,
    members, ms, records, slow_client, swept, without_leases,
};
use tokio::time::{sleep, timeout};

/// A commit that deletes members: a part of the end of a lease.
fn deletes_members(transaction: &Transaction) -> bool {
    let mut writes = transaction.writes().iter();
    writes.any(|(at, _, write)| *at == members() && matches!(write, Write::Delete))
}

async fn expires() {
    sleep(TTL + SOON).await;
}

#[tokio::test(start_paused = true)]
async fn a_put_after_the_end_is_lease_lost_though_its_records_are_still_there() {
    let log = bare();
    let wire = Wire::to(&log);
    let (here, there) = (wire.client(), client(&log));
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    wire.rule(|transaction| match deletes_members(transaction) {
        true => Way::Hangs,
        false => Way::Passes,
    });
    let ending = here.revoke(lease.id);
    assert!(timeout(ms(1), ending).await.is_err(), "it hangs midway");
    assert_eq!(keys(&log, &members()).await.len(), 1);
    for log in [&here, &there] {
        assert_eq!(kind(join(log, "web-8", lease).await), ErrorKind::LeaseLost);
        assert_eq!(kind(log.renew(lease).await), ErrorKind::LeaseLost);
    }
    swept(&log).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_client_that_dies_midway_leaves_undone_another_finishes() {
    for after in 0..5 {
        let mut less = without_leases();
        less.max_operations = 4;
        let log = MemoryLog::builder().capabilities(less).build();
        let wire = Wire::to(&log);
        let here = wire.client();
        let lease = here.grant(TTL).await.unwrap();
        for n in 0..6 {
            join(&here, &format!("web-{n}"), lease).await.unwrap();
        }
        // Its end, its records in two parts, and the rest: each of them may be the last that the client does.
        wire.once(after, Way::Hangs);
        expires().await;
        let left = keys(&log, &leases()).await;
        assert_eq!(left.is_empty(), after > 3, "{left:?} after {after}");
        drop(here);
        let other = client(&log);
        other.head(&members()).await.unwrap();
        expires().await;
        assert_eq!(keys(&log, &members()).await, BTreeSet::new(), "{after}");
        swept(&log).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_is_dropped_midway_is_finished_by_its_own_client() {
    let log = bare();
    let wire = Wire::to(&log);
    let here = wire.client();
    let lease = here.grant(1000 * TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    wire.once(1, Way::Hangs);
    assert!(timeout(ms(1), here.revoke(lease.id)).await.is_err());
    assert_eq!(keys(&log, &members()).await.len(), 1);
    sleep(TTL).await;
    swept(&log).await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_end_one_lease_at_once_all_succeed() {
    for seed in 0..20 {
        let mut less = without_leases();
        less.max_operations = 4;
        let log = MemoryLog::builder().capabilities(less).build();
        let clients = [0, 1, 2, 3].map(|n| slow_client(&log, 4 * seed + n));
        let lease = clients[0].grant(TTL).await.unwrap();
        for n in 0..10 {
            let joined = join(&clients[n % 4], &format!("web-{n}"), lease).await;
            joined.unwrap();
        }
        let revoked = clients.iter().map(|client| client.revoke(lease.id));
        for outcome in futures::future::join_all(revoked).await {
            outcome.unwrap();
        }
        assert!(keys(&log, &members()).await.is_empty());
        assert!(keys(&log, &leases()).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn of_clients_that_sweep_one_lease_unseen_by_each_other_each_goes_on() {
    for survivor in 0..4 {
        let log = bare();
        let mut clients: Vec<LeasedLog> = (0..4).map(|_| client(&log)).collect();
        let lease = clients[0].grant(TTL).await.unwrap();
        join(&clients[0], "web-7", lease).await.unwrap();
        for client in &clients {
            client.head(&members()).await.unwrap();
        }
        sleep(ms(1)).await;
        log.hold_tails(true);
        expires().await;
        assert!(keys(&log, &members()).await.is_empty());
        emptied(&log, &leases()).await;
        log.hold_tails(false);
        let survivor = clients.swap_remove(survivor);
        drop(clients);
        let lease = survivor.grant(TTL).await.unwrap();
        join(&survivor, "web-7", lease).await.unwrap();
        expires().await;
        swept(&log).await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_keyspaces_in_which_something_was_put_are_swept() {
    for by_time in [true, false] {
        let log = bare();
        let (here, there) = (client(&log), client(&log));
        let lease = here.grant(TTL).await.unwrap();
        let spaces = ["a", "b", "c", "d", "e"].map(keyspace);
        let [a, b, c, d, e] = &spaces;
        let two = leased(a, "k", lease).put_leased(b, "k", "value", lease.id);
        here.commit(two).await.unwrap();
        there.commit(leased(c, "k", lease)).await.unwrap();
        // Each of them has an older idea of where there is something.
        here.commit(leased(d, "k", lease)).await.unwrap();
        there.commit(leased(e, "k", lease)).await.unwrap();
        match by_time {
            true => expires().await,
            false => here.revoke(lease.id).await.unwrap(),
        }
        for space in &spaces {
            assert!(keys(&log, space).await.is_empty(), "{space}");
        }
        swept(&log).await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_records_than_fit_in_a_transaction_all_go() {
    for by_time in [true, false] {
        let mut less = without_leases();
        (less.max_operations, less.max_transaction_bytes) = (8, 4096);
        let log = MemoryLog::builder().capabilities(less).build();
        let here = client(&log);
        let lease = here.grant(TTL).await.unwrap();
        let other = here.grant(1000 * TTL).await.unwrap();
        let long = "k".repeat(900);
        for n in 0..50 {
            join(&here, &format!("{n:03}"), lease).await.unwrap();
            // Few of these fit, by their bytes.
            join(&here, &format!("{n:03}-{long}"), lease).await.unwrap();
        }
        join(&here, "other", other).await.unwrap();
        let plain = Transaction::new().put(&members(), "plain", "value");
        here.commit(plain).await.unwrap();
        match by_time {
            true => expires().await,
            false => here.revoke(lease.id).await.unwrap(),
        }
        let left = keys(&log, &members()).await;
        assert_eq!(left, ["other", "plain"].map(String::from).into());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_anew_while_a_lease_ends_stays() {
    let log = bare();
    let wire = Wire::to(&log);
    let here = wire.client();
    let lease = here.grant(TTL).await.unwrap();
    let other = here.grant(1000 * TTL).await.unwrap();
    for key in ["detached", "moved", "deleted", "recreated", "ends"] {
        join(&here, key, lease).await.unwrap();
    }
    join(&here, "other", other).await.unwrap();
    let (space, between) = (members(), log.clone());
    let changes = Transaction::new()
        .put(&space, "detached", "value")
        .put_leased(&space, "moved", "value", other.id)
        .delete(&space, "deleted")
        .delete(&space, "recreated");
    let again = Transaction::new().put(&space, "recreated", "value");
    // Between the look at what hangs on it and the deletion of that.
    let mut changes = Some([changes, again]);
    wire.rule(move |transaction| {
        let changes = changes.take_if(|_| deletes_members(transaction));
        for change in changes.into_iter().flatten() {
            let committed = between.commit(change).now_or_never();
            committed.expect("it answers at once").unwrap();
        }
        Way::Passes
    });
    here.revoke(lease.id).await.unwrap();
    let left = records(&log, &space).await.into_iter();
    let left: Vec<(String, Option<LeaseId>)> =
        left.map(|(key, record)| (key, record.lease)).collect();
    let expected = [
        ("detached", None),
        ("moved", Some(other.id)),
        ("other", Some(other.id)),
        ("recreated", None),
    ];
    assert_eq!(left, expected.map(|(key, lease)| (key.to_owned(), lease)));
    here.revoke(other.id).await.unwrap();
    emptied(&log, &leases()).await;
}

#[tokio::test(start_paused = true)]
async fn a_restore_amid_an_end_does_not_touch_the_lease_of_the_new_life() {
    let log = bare();
    let wire = Wire::to(&log);
    let here = wire.client();
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    let backup = log.backup();
    let restored = log.clone();
    let mut count = 0;
    wire.rule(move |transaction| {
        if deletes_members(transaction) {
            count += 1;
            if count == 1 {
                restored.restore(&backup);
            }
        }
        Way::Passes
    });
    expires().await;
    assert_eq!(keys(&log, &members()).await.len(), 1, "it lives again");
    expires().await;
    swept(&log).await;
}
