//! How long a lease lives: never shorter than its time, as each client has seen it, and not much longer.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_log_client::{ErrorKind, LogClient};
use rig::{
    SOON, TTL, bare, client, ends_at, join, keys, keyspace, kind, leased, members, ms, swept,
};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_lease_lives_for_its_time_and_ends_soon_after_it() {
    let (log, asked) = (bare(), Instant::now());
    let here = client(&log);
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    ends_at(&log, asked + TTL).await;
    assert_eq!(kind(here.renew(lease).await), ErrorKind::LeaseLost);
    swept(&log).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_lives_as_long_as_it_is_renewed() {
    let log = bare();
    let (here, there) = (client(&log), client(&log));
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    let mut renewed = Instant::now();
    for round in 0..10 {
        sleep(TTL - ms(1)).await;
        let by = if round % 2 == 0 { &here } else { &there };
        renewed = Instant::now();
        assert_eq!(by.renew(lease).await.unwrap(), lease);
    }
    ends_at(&log, renewed + TTL).await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_a_client_has_not_seen_wins_over_its_sweep() {
    let log = bare();
    let here = client(&log);
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    sleep(ms(1)).await;
    log.hold_tails(true);
    sleep(TTL / 2).await;
    here.renew(lease).await.unwrap();
    // By what it sees, the time is over.
    sleep(TTL).await;
    assert!(!keys(&log, &members()).await.is_empty(), "it ended early");
    log.hold_tails(false);
    ends_at(&log, Instant::now() + TTL).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_outlives_a_time_without_clients_and_gets_its_full_time_from_the_next() {
    let log = bare();
    let here = client(&log);
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    sleep(TTL / 2).await;
    drop(here);
    sleep(10 * TTL).await;
    let late = client(&log);
    let came = Instant::now();
    late.head(&members()).await.unwrap();
    ends_at(&log, came + TTL).await;
    swept(&log).await;
}

#[tokio::test(start_paused = true)]
async fn who_only_reads_sweeps_as_well() {
    for read in 0..4 {
        let log = bare();
        let here = client(&log);
        let lease = here.grant(TTL).await.unwrap();
        let at = join(&here, "web-7", lease).await.unwrap();
        drop(here);
        let reader = client(&log);
        match read {
            0 => drop(reader.snapshot(&members()).await.unwrap()),
            1 => drop(reader.tail(&members(), at).await.unwrap()),
            2 => drop(reader.recent_head(&members(), TTL).await.unwrap()),
            _ => drop(reader.record_at(&members(), b"web-7", at).await.unwrap()),
        }
        ends_at(&log, Instant::now() + TTL).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_in_another_keyspace_is_no_renewal() {
    let log = bare();
    let here = client(&log);
    let (granted, lease) = (Instant::now(), here.grant(TTL).await.unwrap());
    join(&here, "web-7", lease).await.unwrap();
    sleep(TTL - ms(100)).await;
    let elsewhere = keyspace("elsewhere");
    here.commit(leased(&elsewhere, "web-7", lease))
        .await
        .unwrap();
    ends_at(&log, granted + TTL).await;
    assert!(keys(&log, &elsewhere).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn leases_end_while_the_log_forgets_what_was_to_be_followed() {
    let log = bare();
    let here = client(&log);
    let (granted, lease) = (Instant::now(), here.grant(TTL).await.unwrap());
    join(&here, "web-7", lease).await.unwrap();
    sleep(TTL / 2).await;
    // The tail is overtaken, and another snapshot does not begin the time anew.
    log.hold_tails(true);
    join(&here, "web-8", lease).await.unwrap();
    log.compact(log.head_position().revision).unwrap();
    log.hold_tails(false);
    ends_at(&log, granted + TTL).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ended_while_the_log_was_away_ends_when_it_is_back() {
    let log = bare();
    let here = client(&log);
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    sleep(TTL / 2).await;
    log.set_available(false);
    assert_eq!(kind(here.renew(lease).await), ErrorKind::Unavailable);
    sleep(TTL).await;
    log.set_available(true);
    assert_eq!(keys(&log, &members()).await.len(), 1);
    sleep(2 * SOON + ms(1000)).await;
    assert!(keys(&log, &members()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_restore_brings_back_lives_its_full_time_and_cannot_be_renewed() {
    let log = bare();
    let here = client(&log);
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    let backup = log.backup();
    sleep(TTL / 2).await;
    here.renew(lease).await.unwrap();
    sleep(TTL - ms(1)).await;
    log.restore(&backup);
    let restored = Instant::now();
    assert_eq!(kind(here.renew(lease).await), ErrorKind::LeaseLost);
    let stranger = client(&log);
    assert_eq!(kind(stranger.renew(lease).await), ErrorKind::LeaseLost);
    ends_at(&log, restored + TTL).await;
}
