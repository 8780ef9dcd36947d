//! Puts under a lease: what they require, what the caller hears of that, and how much fits.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_log_client::{
    Conflict, Error, ErrorKind, Keyspace, LogClient, Precondition, Transaction,
};
use globe_memory::MemoryLog;
use rig::{
    TTL, Wire, bare, client, join, keys, keyspace, kind, leased, leases, members, ms, records,
    shown, slow_client, without_leases,
};
use tokio::time::Instant;

fn conflict(error: Error) -> Conflict {
    match error.kind() {
        ErrorKind::Conflict(conflict) => conflict.clone(),
        _ => panic!("a conflict was expected: {error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_shows_only_what_the_caller_compared() {
    let log = bare();
    let (here, there) = (client(&log), client(&log));
    let [lost, lives] = [
        here.grant(TTL).await.unwrap(),
        here.grant(TTL).await.unwrap(),
    ];
    join(&here, "web-7", lost).await.unwrap();
    there.revoke(lost.id).await.unwrap();
    for lease in [lost, lives] {
        for log in [&here, &there] {
            let fails = leased(&members(), "web-8", lease)
                .when(&members(), "missing", Precondition::Present)
                .when(&members(), "missing as well", Precondition::Absent);
            let conflict = conflict(log.commit(fails).await.unwrap_err());
            let [failed] = &conflict.failed[..] else {
                panic!("{conflict}");
            };
            assert_eq!(
                (failed.keyspace(), failed.key()),
                (&members(), &b"missing"[..])
            );
        }
    }
    let both = leased(&members(), "a", lives).put_leased(&members(), "b", "value", lost.id);
    assert_eq!(kind(here.commit(both).await), ErrorKind::LeaseLost);
    assert!(keys(&log, &members()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_told_once_where_something_hangs_on_it() {
    let log = bare();
    let here = client(&log);
    let lease = here.grant(TTL).await.unwrap();
    let shows = async |json: &str| assert_eq!(shown(&log, lease).await.as_deref(), Some(json));
    shows(r#"{"ttl_ms":10000,"n":0,"keyspaces":[]}"#).await;
    join(&here, "web-7", lease).await.unwrap();
    shows(r#"{"ttl_ms":10000,"n":0,"keyspaces":["members"]}"#).await;
    let told = records(&log, &leases()).await;
    join(&here, "web-8", lease).await.unwrap();
    join(&client(&log), "web-9", lease).await.unwrap();
    assert_eq!(records(&log, &leases()).await, told);
    here.renew(lease).await.unwrap();
    shows(r#"{"ttl_ms":10000,"n":1,"keyspaces":["members"]}"#).await;
}

#[tokio::test(start_paused = true)]
async fn first_puts_in_many_keyspaces_at_once_all_succeed_beside_renewals() {
    let log = bare();
    let clients = [slow_client(&log, 0), slow_client(&log, 1)];
    let lease = clients[0].grant(TTL).await.unwrap();
    let spaces: Vec<Keyspace> = (0..40).map(|n| keyspace(&format!("space-{n}"))).collect();
    let writers = spaces.iter().enumerate().map(|(n, space)| {
        let (log, put) = (clients[n % 2].clone(), leased(space, "web-7", lease));
        tokio::spawn(async move {
            log.commit(put).await.unwrap();
            log.renew(lease).await.unwrap();
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    clients[1].revoke(lease.id).await.unwrap();
    for space in &spaces {
        assert!(keys(&log, space).await.is_empty(), "{space}");
    }
}

/// A small log, and a client.
async fn small() -> (MemoryLog, globe_leases::LeasedLog) {
    let mut less = without_leases();
    (less.max_operations, less.max_transaction_bytes) = (9, 8192);
    let log = MemoryLog::builder().capabilities(less).build();
    let here = client(&log);
    (log, here)
}

#[tokio::test(start_paused = true)]
async fn what_is_exactly_at_a_limit_is_taken_under_one_lease() {
    let (log, here) = small().await;
    let capabilities = here.capabilities();
    assert_eq!(capabilities.max_operations, 8);
    // The longest name there is, and the lease must be told each.
    for n in 0..8 {
        let space = keyspace(&format!("{n}{}", "k".repeat(Keyspace::MAX_LEN - 1)));
        let lease = here.grant(capabilities.max_ttl).await.unwrap();
        let count = capabilities.max_operations;
        let full = (0..count).fold(Transaction::new(), |full, key| {
            full.when(&space, format!("{key}"), Precondition::Absent)
                .put_leased(&space, format!("{key}"), "", lease.id)
        });
        let room = capabilities.max_transaction_bytes - full.bytes();
        let last = format!("{}", count - 1);
        let full = (0..count - 1).fold(Transaction::new(), |full, key| {
            full.when(&space, format!("{key}"), Precondition::Absent)
                .put_leased(&space, format!("{key}"), "", lease.id)
        });
        let full = full
            .when(&space, last.clone(), Precondition::Absent)
            .put_leased(&space, last, vec![b'v'; room], lease.id);
        assert_eq!(full.bytes(), capabilities.max_transaction_bytes);
        here.commit(full).await.unwrap();
        assert_eq!(keys(&log, &space).await.len(), count);
    }
}

#[tokio::test(start_paused = true)]
async fn more_leases_than_fit_beside_the_writes_are_too_large() {
    let (log, here) = small().await;
    let mut all = Transaction::new();
    for n in 0..8 {
        let lease = here.grant(TTL).await.unwrap();
        all = all.put_leased(&members(), format!("web-{n}"), "value", lease.id);
    }
    let refused = kind(here.commit(all).await);
    assert!(matches!(refused, ErrorKind::TooLarge { .. }), "{refused:?}");
    assert!(keys(&log, &members()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_keyspace_of_the_leases_can_be_read_and_not_written() {
    let log = bare();
    let here = client(&log);
    let lease = here.grant(TTL).await.unwrap();
    let key = format!("lease/{:016x}", lease.id.get());
    for refused in [
        Transaction::new().put(&leases(), key.clone(), "value"),
        Transaction::new().delete(&leases(), key.clone()),
        Transaction::new().when(&leases(), key.clone(), Precondition::Present),
        leased(&leases(), "web-7", lease),
    ] {
        assert_eq!(kind(here.commit(refused).await), ErrorKind::Invalid);
    }
    let snapshot = here.snapshot(&leases()).await.unwrap();
    assert_eq!(snapshot.collect().await.unwrap()[0].key, key);
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_answered_within_its_timeout_when_the_look_at_its_lease_hangs() {
    let log = bare();
    let lease = client(&log).grant(TTL).await.unwrap();
    let wire = Wire::to(&log);
    *wire.snapshots_hang.lock().unwrap() = true;
    let asked = Instant::now();
    let put = leased(&members(), "web-7", lease).taking_at_most(ms(500));
    assert_eq!(
        kind(wire.client().commit(put).await),
        ErrorKind::Unavailable
    );
    assert_eq!(asked.elapsed(), ms(500));
    assert!(keys(&log, &members()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_timeout_goes_with_the_commit() {
    let log = bare();
    let wire = Wire::to(&log);
    let here = wire.client();
    let lease = here.grant(TTL).await.unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    wire.rule(move |transaction| {
        tell.send(transaction.timeout()).unwrap();
        rig::Way::Passes
    });
    let put = |timeout| leased(&members(), "web-7", lease).taking_at_most(timeout);
    here.commit(put(Some(ms(500)))).await.unwrap();
    here.commit(put(None)).await.unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Some(ms(500)), None]);
}

#[tokio::test(start_paused = true)]
async fn a_put_is_bound_to_the_life_in_which_its_lease_was_seen() {
    let log = bare();
    let here = client(&log);
    let lease = here.grant(TTL).await.unwrap();
    let backup = log.backup();
    join(&here, "web-7", lease).await.unwrap();
    log.restore(&backup);
    // In this life the lease was never told of the keyspace: nobody would find what is put there.
    assert_eq!(
        kind(join(&here, "web-7", lease).await),
        ErrorKind::EpochChanged
    );
    assert!(keys(&log, &members()).await.is_empty());
    let position = join(&here, "web-7", lease).await.unwrap();
    let strange = leased(&members(), "web-8", lease).within(lease.epoch);
    assert_eq!(kind(here.commit(strange).await), ErrorKind::EpochChanged);
    let here_and_now = leased(&members(), "web-8", lease).within(position.epoch);
    here.commit(here_and_now).await.unwrap();
    here.revoke(lease.id).await.unwrap();
    assert!(keys(&log, &members()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_id_is_granted_twice_after_a_restore() {
    let log = bare();
    let here = client(&log);
    let backup = log.backup();
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..50 {
        log.restore(&backup);
        let lease = here.grant(TTL).await.unwrap();
        assert_eq!(lease.epoch, log.head_position().epoch);
        assert!(ids.insert(lease.id) && lease.id.get() >> 63 == 0);
    }
}
