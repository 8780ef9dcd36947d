//! Picking: how often whom, what a failure does, and what is picked when the members change.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use globe::registry::{Member, Pick, Picked, Picker, State};
use tokio::time::sleep;

use crate::rig::{fails_with, until, within, write_many};
use crate::{Process, SECOND, SERVICE, picks, two};

const ALL: [Pick; 5] = [
    Pick::RoundRobin,
    Pick::Random,
    Pick::TwoChoices,
    Pick::Weighted,
    Pick::Hash,
];

#[track_caller]
fn is_about(count: usize, expected: usize) {
    let off = count.abs_diff(expected);
    assert!(off <= expected / 8 + 20, "{count}, not about {expected}");
}

async fn with_weights(
    members: &[(&str, u32)],
) -> (Process, Vec<globe::registry::Registration<u16>>) {
    let (_log, one, _other) = two().await;
    let mut all = Vec::new();
    for (id, weight) in members {
        all.push(one.register(Member::new(*id, 80).weight(*weight)).await);
    }
    (one, all)
}

#[tokio::test(start_paused = true)]
async fn each_way_of_picking_picks_as_it_says() {
    let (one, _all) = with_weights(&[("a", 100), ("b", 200), ("c", 300), ("d", 0)]).await;
    for pick in ALL {
        let picks = picks(&one.registry.picker(SERVICE, pick), 6000);
        let of = |id: &str| picks.get(id).copied().unwrap_or_default();
        assert_eq!(of("d"), 0, "{pick:?}: who has no weight is not picked");
        match pick {
            Pick::RoundRobin => assert_eq!(picks.len(), 3),
            Pick::Weighted | Pick::Hash => {
                is_about(of("a"), 1000);
                is_about(of("b"), 2000);
                is_about(of("c"), 3000);
            }
            Pick::Random => is_about(of("a"), 2000),
            // Nothing is under way: the heavier of two is less busy for its weight.
            _ => assert!(of("c") > of("b") && of("b") > of("a"), "{picks:?}"),
        }
        if pick == Pick::RoundRobin {
            assert!(picks.values().all(|count| *count == 2000), "{picks:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_the_one_with_fewer_requests_under_way_for_its_weight_is_picked() {
    let (one, _all) = with_weights(&[("a", 100), ("b", 300)]).await;
    let picker = one.registry.picker(SERVICE, Pick::TwoChoices);
    let mut under_way: Vec<Picked<u16>> = Vec::new();
    for _ in 0..400 {
        under_way.extend(picker.pick());
    }
    let of = |id: &str| under_way.iter().filter(|picked| picked.id == id).count();
    is_about(of("a"), 100);
    is_about(of("b"), 300);
    // Those that were done count no more: it is the other's turn.
    under_way.retain(|picked| picked.id == "a");
    let next: Vec<Picked<u16>> = (0..50).filter_map(|_| picker.pick()).collect();
    assert!(next.iter().all(|picked| picked.id == "b"));
    // However often the same one is drawn twice.
    for _ in 0..5_000 {
        assert_eq!(picker.pick().unwrap().id, "b");
    }
    // Another picker of the service knows of them as well.
    let other = one.registry.picker(SERVICE, Pick::TwoChoices);
    assert_eq!(other.pick().unwrap().id, "b");
}

/// The requests of a member count on when others come and go, and when it changes.
#[tokio::test(start_paused = true)]
async fn requests_under_way_outlive_a_change_of_the_members() {
    let (one, all) = with_weights(&[("a", 100), ("b", 100)]).await;
    let picker = one.registry.picker(SERVICE, Pick::TwoChoices);
    let mut under_way: Vec<Picked<u16>> = (0..100).filter_map(|_| picker.pick()).collect();
    under_way.retain(|picked| picked.id == "a");
    all[0].set(|me| me.data = 81.into()).await.unwrap();
    let _another = one.register(Member::new("c", 80)).await;
    for _ in 0..under_way.len() / 2 {
        assert_ne!(picker.pick().unwrap().id, "a");
    }
    drop(under_way);
    assert!(picks(&picker, 1000).contains_key("a"));
}

#[tokio::test(start_paused = true)]
async fn those_that_are_up_are_picked_or_else_those_that_drain() {
    let (one, all) = with_weights(&[("a", 100), ("b", 100), ("c", 100)]).await;
    let pickers = ALL.map(|pick| one.registry.picker(SERVICE, pick));
    let picked = |picker: &Picker<u16>| -> Vec<String> { picks(picker, 300).into_keys().collect() };
    all[0].set(|me| me.state = State::Down).await.unwrap();
    all[1].set(|me| me.state = State::Draining).await.unwrap();
    for picker in &pickers {
        assert_eq!(picked(picker), ["c"], "{picker:?}");
    }
    all[2].set(|me| me.state = State::Draining).await.unwrap();
    for picker in &pickers {
        assert_eq!(picked(picker), ["b", "c"], "{picker:?}");
    }
    for mine in &all {
        mine.set(|me| me.state = State::Down).await.unwrap();
    }
    for picker in &pickers {
        assert!(picker.pick().is_none() && picker.pick_for(b"a").is_none());
    }
    all[1].set(|me| me.state = State::Up).await.unwrap();
    for picker in &pickers {
        assert_eq!(picked(picker), ["b"], "{picker:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_when_somebody_can_be_picked() {
    let (_log, one, other) = two().await;
    let picker = other.registry.picker(SERVICE, Pick::default());
    for _ in 0..3 {
        let dropped = tokio::time::timeout(SECOND, picker.ready()).await;
        assert!(dropped.is_err() && picker.pick().is_none());
    }
    let mine = one.register(Member::new("a", 80).state(State::Down)).await;
    other.lists(&["a"]).await;
    let setting = mine.set(|me| me.state = State::Up);
    let (ready, set) = tokio::join!(within("it is ready", picker.ready()), setting);
    ready.and(set).unwrap();
    assert_eq!(picker.pick().unwrap().id, "a");
    picker.ready().await.unwrap();
    other.registry.close().await;
    picker.ready().await.unwrap();
    let nobody = other.registry.picker("nobody", Pick::Hash);
    let ended = within("it is told", nobody.ready()).await;
    fails_with(ended, globe::ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn who_fails_is_set_aside_for_a_growing_while_until_it_succeeds() {
    let (one, _all) = with_weights(&[("a", 100), ("b", 100), ("c", 100)]).await;
    for pick in ALL {
        let picker = one.registry.picker(SERVICE, pick);
        let fail = || {
            let mut picks = (0..1000).filter_map(|_| picker.pick());
            picks.find(|picked| picked.id == "a").unwrap().failed();
        };
        let is_picked = || picks(&picker, 200).contains_key("a");
        for seconds in [1, 2, 4] {
            fail();
            sleep(Duration::from_millis(seconds * 1000 - 10)).await;
            for other in ALL {
                let other = one.registry.picker(SERVICE, other);
                assert!(
                    !picks(&other, 200).contains_key("a"),
                    "{other:?} after {picker:?}"
                );
            }
            // Now it is picked again, and fails again.
            sleep(Duration::from_millis(20)).await;
        }
        fail();
        sleep(Duration::from_millis(8010)).await;
        assert!(is_picked(), "{pick:?}");
        // Those were successes: it begins anew.
        fail();
        sleep(Duration::from_millis(1010)).await;
        assert!(is_picked(), "{pick:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_half_are_set_aside_whoever_fails() {
    for pick in ALL {
        let (one, _all) = with_weights(&[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]).await;
        let picker = one.registry.picker(SERVICE, pick);
        for _ in 0..200 {
            picker.pick().unwrap().failed();
        }
        let picked = |times| -> HashSet<String> {
            let picks = (0..times).filter_map(|_| picker.pick());
            picks
                .map(|picked| {
                    let id = picked.id.clone();
                    std::mem::forget(picked);
                    id
                })
                .collect()
        };
        assert_eq!(picked(2000).len(), 3, "{pick:?}");
    }
    let (one, _all) = with_weights(&[("a", 100)]).await;
    let picker = one.registry.picker(SERVICE, Pick::default());
    picker.pick().unwrap().failed();
    assert!(picker.pick().is_some(), "it is the only one");
}

#[tokio::test(start_paused = true)]
async fn a_key_belongs_to_the_same_member_everywhere() {
    let (_log, one, other) = two().await;
    let _all = one.register_all(&["a", "b", "c", "d", "e"]).await;
    other.lists(&["a", "b", "c", "d", "e"]).await;
    let pickers = [&one, &other].map(|process| process.registry.picker(SERVICE, Pick::Hash));
    let owners = |picker: &Picker<u16>| -> Vec<String> {
        let keys = 0..1000_u32;
        keys.map(|key| picker.pick_for(&key.to_le_bytes()).unwrap().id.clone())
            .collect()
    };
    // Before the buckets are found as well as after.
    let before = owners(&pickers[0]);
    assert_eq!(owners(&pickers[1]), before);
    sleep(SECOND).await;
    for picker in &pickers {
        assert_eq!(owners(picker), before);
    }
    let distinct: HashSet<&String> = before.iter().collect();
    assert_eq!(distinct.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_join_moves_only_its_share() {
    let (log, one, _other) = two().await;
    let ids: Vec<String> = (0..9).map(|number| format!("web-{number}")).collect();
    let all = ids
        .iter()
        .map(|id| (format!("{SERVICE}/{id}"), br#"{"data":80}"#));
    write_many(&log, "services", all).await;
    until("all are listed", || one.ids().len() == 9).await;
    let picker = one.registry.picker(SERVICE, Pick::Hash);
    let owners = || -> BTreeMap<u32, String> {
        let keys = 0..10_000_u32;
        keys.map(|key| (key, picker.pick_for(&key.to_le_bytes()).unwrap().id.clone()))
            .collect()
    };
    let before = owners();
    let mine = one.register(Member::new("new", 80)).await;
    for _ in 0..2 {
        let after = owners();
        let moved = before.iter().filter(|(key, owner)| after[key] != **owner);
        let to: Vec<&String> = moved.map(|(key, _)| &after[key]).collect();
        assert!(to.iter().all(|owner| *owner == "new"));
        is_about(to.len(), 1000);
        sleep(SECOND).await;
    }
    // One that fails gives its keys to those who would have them, and nobody else's move.
    let fails = (0..10_000_u32).find(|key| before[key] == "web-3").unwrap();
    picker.pick_for(&fails.to_le_bytes()).unwrap().failed();
    let after = owners();
    let moved = before
        .iter()
        .filter(|(key, owner)| after[key] != **owner && after[key] != "new");
    assert!(
        moved
            .map(|(_, owner)| owner.as_str())
            .all(|owner| owner == "web-3")
    );
    sleep(SECOND * 2).await;
    mine.deregister().await.unwrap();
    assert_eq!(owners(), before);
    sleep(SECOND).await;
    assert_eq!(owners(), before);
}

/// Whoever registers is picked at once, by a picker that was there before.
#[tokio::test(start_paused = true)]
async fn a_picker_follows_who_is_listed_and_clones_share_its_turns() {
    let (_log, one, other) = two().await;
    let picker = one.registry.picker(SERVICE, Pick::RoundRobin);
    let mine = one.register(Member::new("a", 80)).await;
    assert_eq!(picker.pick().unwrap().id, "a");
    let _others = other.register_all(&["b", "c"]).await;
    one.lists(&["a", "b", "c"]).await;
    let clone = picker.clone();
    let turns: HashSet<String> = [&picker, &clone, &picker]
        .map(|picker| picker.pick().unwrap().id.clone())
        .into();
    assert_eq!(turns.len(), 3);
    mine.deregister().await.unwrap();
    assert!(!picks(&picker, 100).contains_key("a"));
}

/// The one who follows the map has something else to do meanwhile.
#[tokio::test(start_paused = true)]
async fn what_is_registered_while_the_owners_of_keys_are_found_is_listed_and_picked_at_once() {
    let mut capabilities = globe::Capabilities::full("memory");
    (
        capabilities.max_operations,
        capabilities.max_transaction_bytes,
    ) = (1_000, 1 << 20);
    let log = globe::MemoryLog::builder()
        .capabilities(capabilities)
        .build();
    let one = Process::new(&log, "one").await;
    let picker = one.registry.picker(SERVICE, Pick::Hash);
    let ids = (0..1_000).map(|number| format!("{SERVICE}/{number:03}"));
    write_many(&log, "services", ids.map(|key| (key, br#"{"data":80}"#))).await;
    // Without a look at the clock, which stands still until all is done.
    while one.registry.members(SERVICE).len() < 1_000 {
        tokio::task::yield_now().await;
    }
    let _mine = one.register(Member::new("new", 80).weight(1_000_000)).await;
    assert!(one.registry.members(SERVICE).get("new").is_some());
    assert!(picks(&picker, 100).contains_key("new"));
}
