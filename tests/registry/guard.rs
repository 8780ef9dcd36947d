//! Members that vanish: who is followed, who is held back, and until when.

use std::time::Duration;

use globe::registry::{Member, Pick, State, Vanish};
use globe::{LogClient, MemoryLog, Registry};
use tokio::time::{Instant, sleep};

use crate::rig::{delete_raw, keyspace, until, within, write_many};
use crate::{Process, SECOND, SERVICE, TTL, held_back, ids, lists, registry, two};

/// Other programs' members, which no session puts back.
async fn put(log: &MemoryLog, service: &str, ids: &[&str]) {
    let all = ids
        .iter()
        .map(|id| (format!("{service}/{id}"), br#"{"data":80}"#));
    write_many(log, "services", all).await;
}

/// All at once, past every map.
async fn delete(log: &MemoryLog, service: &str, ids: &[&str]) {
    let none = globe::log_client::Transaction::new();
    let delete = ids.iter().fold(none, |delete, id| {
        delete.delete(&keyspace("services"), format!("{service}/{id}"))
    });
    log.commit(delete).await.unwrap();
}

async fn guarded(vanish: Vanish) -> (MemoryLog, Registry<u16>) {
    let log = MemoryLog::new();
    let builder = Registry::builder(log.clone(), "services").vanish(vanish);
    (log, within("it opens", builder.open()).await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn half_vanishing_is_held_back() {
    let (log, one, _other) = two().await;
    put(&log, SERVICE, &["a", "b", "c", "d"]).await;
    one.lists(&["a", "b", "c", "d"]).await;
    let mut watch = one.registry.watch(SERVICE);
    // Half of them is not more than half.
    delete(&log, SERVICE, &["a", "b"]).await;
    one.lists(&["c", "d"]).await;
    assert_eq!(watch.next().await.unwrap().len(), 2);
    sleep(TTL + SECOND).await;
    put(&log, SERVICE, &["a", "b"]).await;
    one.lists(&["a", "b", "c", "d"]).await;
    assert_eq!(watch.next().await.unwrap().len(), 2);
    delete(&log, SERVICE, &["a", "b", "c"]).await;
    until("three are held back", || {
        held_back(&one.registry).len() == 3
    })
    .await;
    let vanished = Instant::now();
    let members = one.registry.members(SERVICE);
    assert_eq!(ids(&one.registry), ["a", "b", "c", "d"]);
    assert!(members.is_held_back("a") && !members.is_held_back("d"));
    assert_eq!(members.held_back(), 3);
    let shown = tokio::time::timeout(SECOND * 30, watch.next()).await;
    assert!(shown.is_err(), "{shown:?}");
    // They are still picked.
    let picker = one.registry.picker(SERVICE, Pick::RoundRobin);
    assert_eq!(crate::picks(&picker, 40).len(), 4);
    // One is back.
    put(&log, SERVICE, &["b"]).await;
    until("two are held back", || held_back(&one.registry).len() == 2).await;
    assert_eq!(ids(&one.registry).len(), 4);
    one.lists(&["b", "d"]).await;
    let held = vanished.elapsed();
    assert!(held >= SECOND * 59 && held <= SECOND * 61, "{held:?}");
    assert_eq!(watch.next().await.unwrap().len(), 2);
    assert!(held_back(&one.registry).is_empty());
}

/// One after the other, soon enough: it ends as if they had gone at once.
#[tokio::test(start_paused = true)]
async fn those_that_went_first_are_listed_again_when_it_turns_out_to_be_too_many() {
    let (log, one, _other) = two().await;
    put(&log, SERVICE, &["a", "b", "c", "d"]).await;
    one.lists(&["a", "b", "c", "d"]).await;
    delete(&log, SERVICE, &["a"]).await;
    one.lists(&["b", "c", "d"]).await;
    sleep(SECOND * 4).await;
    delete(&log, SERVICE, &["b"]).await;
    one.lists(&["c", "d"]).await;
    sleep(SECOND * 4).await;
    delete(&log, SERVICE, &["c"]).await;
    one.lists(&["a", "b", "c", "d"]).await;
    assert_eq!(held_back(&one.registry).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_clean_exodus_is_followed() {
    let (log, one, other) = two().await;
    let onlooker = registry(&log).await;
    let ids = ["a", "b", "c", "d", "e"];
    let all = one.register_all(&ids[..3]).await;
    let some = other.register_all(&ids[3..]).await;
    lists(&onlooker, &ids).await;
    for mine in all.into_iter().chain(some) {
        mine.deregister().await.unwrap();
    }
    lists(&onlooker, &[]).await;
    for registry in [&onlooker, &one.registry, &other.registry] {
        assert!(held_back(registry).is_empty());
    }
}

/// Of those that drain nobody can say that they vanished: neither do they count as those that there are.
#[tokio::test(start_paused = true)]
async fn who_drains_counts_neither_way() {
    let (log, one, _other) = two().await;
    put(&log, SERVICE, &["a", "b", "c"]).await;
    let drains = ["d", "e", "f", "g", "h"];
    let draining = drains.map(|id| (format!("billing/{id}"), br#"{"data":1,"state":"draining"}"#));
    write_many(&log, "services", draining).await;
    until("all are listed", || one.ids().len() == 8).await;
    delete(&log, SERVICE, &["a", "b", "d", "e"]).await;
    until("two are held back", || held_back(&one.registry).len() == 2).await;
    assert_eq!(one.ids(), ["a", "b", "c", "f", "g", "h"]);
}

#[tokio::test(start_paused = true)]
async fn joins_apply_at_once_and_services_do_not_mix() {
    let (log, one, _other) = two().await;
    put(&log, SERVICE, &["a", "b", "c"]).await;
    put(&log, "web", &["a", "b", "c", "d", "e", "f", "g"]).await;
    put(&log, "tiny", &["a", "b"]).await;
    until("all are listed", || one.registry.status().members == 12).await;
    delete(&log, SERVICE, &["a", "b"]).await;
    until("two are held back", || held_back(&one.registry).len() == 2).await;
    put(&log, SERVICE, &["x"]).await;
    one.lists(&["a", "b", "c", "x"]).await;
    // Other services are followed, and so are those that are too small to tell.
    delete(&log, "web", &["a", "b", "c"]).await;
    delete(&log, "tiny", &["a", "b"]).await;
    until("they are gone", || one.registry.status().members == 4 + 4).await;
    let held = held_back(&one.registry);
    assert!(
        held.iter().all(|(service, _)| service == SERVICE),
        "{held:?}"
    );
    assert_eq!(held.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_is_gone_and_nothing_else_is() {
    let (log, one, other) = two().await;
    for service in [SERVICE, "web"] {
        put(&log, service, &["a", "b", "c"]).await;
    }
    for process in [&one, &other] {
        until("all are listed", || process.registry.status().members == 6).await;
    }
    for service in [SERVICE, "web"] {
        delete(&log, service, &["a", "b", "c"]).await;
    }
    for process in [&one, &other] {
        until("all are held back", || {
            held_back(&process.registry).len() == 6
        })
        .await;
    }
    one.registry.accept(SERVICE);
    one.registry.accept("nobody");
    one.lists(&[]).await;
    assert_eq!(one.registry.members("web").len(), 3);
    // It is this process that accepts.
    assert_eq!(other.registry.members(SERVICE).len(), 3);
    // Whoever comes next comes as ever.
    put(&log, SERVICE, &["b"]).await;
    one.lists(&["b"]).await;
    delete(&log, SERVICE, &["b"]).await;
    one.lists(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn how_much_is_too_much_is_a_setting() {
    let all = ["a", "b", "c", "d"];
    let (log, registry) = guarded(Vanish::Follow).await;
    put(&log, SERVICE, &all).await;
    lists(&registry, &all).await;
    delete(&log, SERVICE, &all).await;
    lists(&registry, &[]).await;

    let rule = Vanish::hold(0.2, Duration::from_secs(1), Duration::from_secs(5));
    let (log, registry) = guarded(rule).await;
    put(&log, SERVICE, &all).await;
    lists(&registry, &all).await;
    delete(&log, SERVICE, &["a"]).await;
    until("it is held back", || held_back(&registry).len() == 1).await;
    let since = Instant::now();
    lists(&registry, &["b", "c", "d"]).await;
    let held = since.elapsed();
    assert!(held > SECOND * 4 && held < SECOND * 6, "{held:?}");

    let rule = Vanish::hold(0.5, Duration::from_secs(1), Duration::from_secs(5));
    let (log, registry) = guarded(rule).await;
    put(&log, SERVICE, &all).await;
    lists(&registry, &all).await;
    for id in all {
        delete_raw(&log, "services", &format!("{SERVICE}/{id}")).await;
        sleep(SECOND * 2).await;
        if id == "b" {
            lists(&registry, &["c", "d"]).await;
        }
    }
    // The third and the fourth were of two, and of one.
    lists(&registry, &[]).await;
}

/// The log has lost all: everybody is still listed while they come back, one after the other.
#[tokio::test(start_paused = true)]
async fn a_restore_that_empties_all_empties_nothing_here() {
    let (log, one, other) = two().await;
    let onlooker = registry(&log).await;
    let backup = log.backup();
    let mine = one.register_all(&["a", "b", "c"]).await;
    lists(&onlooker, &["a", "b", "c"]).await;
    let mut watch = onlooker.watch(SERVICE);
    one.way.cut(true);
    log.restore(&backup);
    until("all are held back", || held_back(&onlooker).len() == 3).await;
    assert_eq!(ids(&onlooker), ["a", "b", "c"]);
    one.way.cut(false);
    until("all are back", || held_back(&onlooker).is_empty()).await;
    assert_eq!(ids(&onlooker), ["a", "b", "c"]);
    assert!(
        watch.try_next().is_none(),
        "it is no news that they are back"
    );
    assert!(
        mine.iter()
            .all(globe::registry::Registration::is_registered)
    );
    other.lists(&["a", "b", "c"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_time_in_which_the_log_was_away_is_nobodys_fault() {
    let (log, one, _other) = two().await;
    put(&log, SERVICE, &["a", "b", "c"]).await;
    one.lists(&["a", "b", "c"]).await;
    delete(&log, SERVICE, &["a", "b", "c"]).await;
    until("all are held back", || held_back(&one.registry).len() == 3).await;
    log.set_available(false);
    sleep(SECOND * 3600).await;
    assert_eq!(one.ids(), ["a", "b", "c"]);
    log.set_available(true);
    sleep(SECOND * 50).await;
    assert_eq!(one.ids(), ["a", "b", "c"]);
    put(&log, SERVICE, &["b"]).await;
    one.lists(&["b"]).await;
}

/// A member that is held back and sets itself down is followed at once.
#[tokio::test(start_paused = true)]
async fn what_comes_back_otherwise_is_as_it_says() {
    let (log, one, _other) = two().await;
    put(&log, SERVICE, &["a", "b", "c"]).await;
    one.lists(&["a", "b", "c"]).await;
    delete(&log, SERVICE, &["a", "b", "c"]).await;
    until("all are held back", || held_back(&one.registry).len() == 3).await;
    let mine = one.register(Member::new("b", 81).state(State::Down)).await;
    let members = one.registry.members(SERVICE);
    assert!(!members.is_held_back("b"));
    assert_eq!(*members.get("b").unwrap().data, 81);
    // It leaves, and is not alarming.
    mine.deregister().await.unwrap();
    one.lists(&["a", "c"]).await;
}

/// Cut off for a while, it sees all of it as one difference.
#[tokio::test(start_paused = true)]
async fn a_process_that_slept_sees_the_same_as_the_others() {
    let log = MemoryLog::new();
    let (one, other) = (Process::new(&log, "one").await, registry(&log).await);
    put(&log, SERVICE, &["a", "b", "c", "d"]).await;
    for registry in [&one.registry, &other] {
        lists(registry, &["a", "b", "c", "d"]).await;
    }
    one.way.cut(true);
    for id in ["a", "b", "c"] {
        delete(&log, SERVICE, &[id]).await;
        sleep(SECOND * 2).await;
    }
    log.compact(log.head_position().revision).unwrap();
    assert_eq!(ids(&other), ["a", "b", "c", "d"]);
    one.way.cut(false);
    until("it knows", || held_back(&one.registry).len() == 3).await;
    assert_eq!(one.ids(), ["a", "b", "c", "d"]);
}
