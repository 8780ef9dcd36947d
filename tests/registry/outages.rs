//! Crashes, outages and restores: who is listed when, and who says so.

use globe::registry::{Member, Pick, State};
use globe::{Error, ErrorKind, MemoryLog, Registry, SessionState};
use tokio::time::{Instant, sleep};

use crate::rig::{Around, answered_after, fails_with, until, within};
use crate::{Process, SECOND, SERVICE, TTL, held_back, lists, registry, two};

#[tokio::test(start_paused = true)]
async fn who_crashes_is_gone_after_its_time_and_a_second() {
    let (_log, one, other) = two().await;
    let _mine = one.register(Member::new("a", 80)).await;
    let _others = other.register_all(&["b", "c"]).await;
    other.lists(&["a", "b", "c"]).await;
    one.way.cut(true);
    let died = Instant::now();
    other.lists(&["b", "c"]).await;
    assert!(died.elapsed() <= TTL + SECOND, "{:?}", died.elapsed());
    assert!(held_back(&other.registry).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_knows_it_before_others_can_and_is_back_within_a_second() {
    for round in 0..10 {
        is_cut_off_for(SECOND * 60 + SECOND * round / 7).await;
    }
}

async fn is_cut_off_for(time: std::time::Duration) {
    let (_log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    let _others = other.register_all(&["b", "c"]).await;
    other.lists(&["a", "b", "c"]).await;
    one.way.cut(true);
    let mut was_registered = mine.is_registered();
    assert!(was_registered);
    until("it is gone", || {
        let (is_registered, is_listed) =
            (mine.is_registered(), other.ids().contains(&"a".to_owned()));
        assert!(is_listed || !is_registered, "it is gone and does not know");
        was_registered = is_registered;
        !is_listed
    })
    .await;
    assert!(!was_registered);
    // It reads on meanwhile.
    assert_eq!(one.ids(), ["a", "b", "c"]);
    sleep(time).await;
    one.way.cut(false);
    let back = Instant::now();
    until("it is back", || mine.is_registered()).await;
    assert!(back.elapsed() <= SECOND, "{:?}", back.elapsed());
    other.lists(&["a", "b", "c"]).await;
}

/// Shorter than its time to live: nobody else sees anything.
#[tokio::test(start_paused = true)]
async fn a_short_outage_changes_nothing() {
    let (log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    other.lists(&["a"]).await;
    let mut watch = other.registry.watch(SERVICE);
    log.set_available(false);
    sleep(TTL / 2).await;
    log.set_available(true);
    sleep(SECOND * 5).await;
    assert!(mine.is_registered());
    assert!(watch.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_away_the_last_members_are_shown_with_their_age() {
    let (log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    other.lists(&["a"]).await;
    let picker = other.registry.picker(SERVICE, Pick::default());
    let kept = other.registry.members(SERVICE);
    assert!(kept.age().unwrap() < SECOND * 2);
    log.set_available(false);
    sleep(SECOND * 3600).await;
    assert!(!mine.is_registered());
    let members = other.registry.members(SERVICE);
    for members in [&members, &kept] {
        let age = members.age().unwrap();
        assert!(age >= SECOND * 3600 && age < SECOND * 3603, "{age:?}");
    }
    assert_eq!(members.len(), 1);
    assert_eq!(picker.pick().unwrap().id, "a");
    assert_eq!(other.registry.status().map.phase, globe::Phase::Stale);
    log.set_available(true);
    until("it is current", || {
        other.registry.members(SERVICE).age().unwrap() < SECOND * 2
    })
    .await;
    // Those that were kept are as old as they are.
    assert!(kept.age().unwrap() >= SECOND * 3600);
    until("it is back", || mine.is_registered()).await;
    other.lists(&["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_registry_starts_without_its_log() {
    let log = MemoryLog::new();
    log.set_available(false);
    let bound = SECOND;
    let opening = Registry::<u16>::builder(log.clone(), "services")
        .open_timeout(bound)
        .open();
    let began = Instant::now();
    fails_with(opening.await, ErrorKind::Unavailable);
    assert!(began.elapsed() < SECOND * 2);
    let registry: Registry<u16> = Registry::builder(log.clone(), "services").start().unwrap();
    let picker = registry.picker(SERVICE, Pick::Hash);
    assert!(registry.members(SERVICE).is_empty() && registry.members(SERVICE).age().is_none());
    let waiting = tokio::time::timeout(SECOND, registry.hydrated()).await;
    assert!(waiting.is_err());
    answered_after(registry.hydrated(), async { log.set_available(true) })
        .await
        .unwrap();
    assert!(registry.members(SERVICE).age().is_some());
    let one = Process::new(&log, "one").await;
    let registering = one.register(Member::new("a", 80));
    let (ready, _mine) = tokio::join!(within("it is ready", picker.ready()), registering);
    ready.unwrap();
    lists(&registry, &["a"]).await;
}

/// Its members are known when it is hydrated, not a moment later.
#[tokio::test(start_paused = true)]
async fn what_stood_before_is_listed_when_it_is_hydrated() {
    let (log, one, _other) = two().await;
    let _mine = one.register(Member::new("a", 80)).await;
    let registry: Registry<u16> = Registry::builder(log.clone(), "services").start().unwrap();
    registry.hydrated().await.unwrap();
    assert_eq!(crate::ids(&registry), ["a"]);
    let opened = crate::registry(&log).await;
    assert_eq!(crate::ids(&opened), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn registering_waits_for_the_log_until_the_deadline_and_leaves_nothing() {
    let (log, one, other) = two().await;
    one.way.cut(true);
    until("it is suspended", || {
        one.session.state() == SessionState::Suspended
    })
    .await;
    let began = Instant::now();
    let registering = one
        .registry
        .register(&one.session, SERVICE, Member::new("a", 80));
    fails_with(registering.await, ErrorKind::Unavailable);
    assert!(began.elapsed() <= SECOND * 11, "{:?}", began.elapsed());
    one.way.cut(false);
    sleep(TTL * 2).await;
    assert!(other.ids().is_empty());
    let hasty = Registry::<u16>::builder(Around::new(&log), "services").deadline(SECOND);
    let hasty = hasty.open().await.unwrap();
    log.set_available(false);
    let began = Instant::now();
    let registering = hasty.register(&one.session, SERVICE, Member::new("a", 80));
    fails_with(registering.await, ErrorKind::Unavailable);
    assert!(began.elapsed() <= SECOND * 2, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_restore_to_before_the_registration_costs_no_more_than_a_moment() {
    let (log, one, other) = two().await;
    let backup = log.backup();
    let mine = one.register(Member::new("a", 80)).await;
    other.lists(&["a"]).await;
    log.restore(&backup);
    let restored = Instant::now();
    let life = log.head_position().epoch;
    until("it is back", || {
        let is_there = other.registry.members(SERVICE).position().epoch == life;
        is_there && mine.is_registered()
    })
    .await;
    assert!(restored.elapsed() <= SECOND * 3, "{:?}", restored.elapsed());
    other.lists(&["a"]).await;
    mine.set(|me| me.state = State::Down).await.unwrap();
    mine.deregister().await.unwrap();
    other.lists(&[]).await;
}

/// What it set last counts, also where it was written again.
#[tokio::test(start_paused = true)]
async fn who_is_back_says_what_it_said_last() {
    let (_log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    mine.set(|me| me.state = State::Draining).await.unwrap();
    mine.set(|me| me.data = 81.into()).await.unwrap();
    one.way.cut(true);
    other.lists(&[]).await;
    one.way.cut(false);
    other.lists(&["a"]).await;
    let members = other.registry.members(SERVICE);
    let member = members.get("a").unwrap();
    assert_eq!((member.state, *member.data), (State::Draining, 81));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_write_is_told_and_reads_all_the_same() {
    let (_log, one, other) = two().await;
    let _mine = one.register(Member::new("a", 80)).await;
    other.way.refuse_key("billing/b");
    let registering = other
        .registry
        .register(&other.session, SERVICE, Member::new("b", 80));
    fails_with(registering.await, ErrorKind::Denied);
    assert_eq!(other.ids(), ["a"]);
    let refused = Around::new(&MemoryLog::new());
    refused.refuse(Some(Error::new(ErrorKind::Denied, "not this user")));
    let opening = Registry::<u16>::open(refused, "services");
    fails_with(within("it is told", opening).await, ErrorKind::Denied);
}

/// Two hundred clients, of which half die at once and half go on.
#[tokio::test(start_paused = true)]
async fn two_hundred_members_of_as_many_sessions_are_listed_by_all() {
    let log = MemoryLog::new();
    let onlooker = registry(&log).await;
    let mut all = Vec::new();
    for number in 0..200 {
        let process = Process::new(&log, &format!("p{number}")).await;
        let mine = process
            .register(Member::new(format!("{number:03}"), 80))
            .await;
        all.push((process, mine));
    }
    for registry in [&onlooker, &all[0].0.registry, &all[199].0.registry] {
        until("all are listed", || registry.members(SERVICE).len() == 200).await;
    }
    for (process, _) in &all[..99] {
        process.way.cut(true);
    }
    until("they are gone", || onlooker.members(SERVICE).len() == 101).await;
    assert!(held_back(&onlooker).is_empty());
    for (process, _) in &all[99..150] {
        process.way.cut(true);
    }
    // With those before they are too many, if they went soon enough.
    sleep(TTL * 2).await;
    assert!(onlooker.members(SERVICE).len() >= 101);
}
