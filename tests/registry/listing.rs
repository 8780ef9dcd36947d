//! What is listed: of what records, at which revision, and since when.

use globe::registry::{Member, Pick, State};
use globe::{ErrorKind, Globe, MemoryLog, Registry, Session, SessionEvent};
use serde_json::{Value, json};

use crate::rig::{fails_with, open, until, within, write_raw};
use crate::{Process, SERVICE, TTL, ids, lists, registry, two};

#[tokio::test(start_paused = true)]
async fn who_has_registered_is_listed_here_at_once_and_everywhere_a_moment_later() {
    let (_log, one, other) = two().await;
    assert!(one.registry.members(SERVICE).is_empty());
    let mine = one
        .register(Member::new("web-7", 80).zone("a").weight(7))
        .await;
    assert!(mine.is_registered());
    let members = one.registry.members(SERVICE);
    let member = members.get("web-7").unwrap();
    assert_eq!(**member, Member::new("web-7", 80).zone("a").weight(7));
    assert_eq!(*mine.member().data, 80);
    other.lists(&["web-7"]).await;
    mine.set(|me| (me.state, me.data) = (State::Down, 81.into()))
        .await
        .unwrap();
    let expected = Member::new("web-7", 81)
        .zone("a")
        .weight(7)
        .state(State::Down);
    let is_shown = |process: &Process| {
        let members = process.registry.members(SERVICE);
        members
            .get("web-7")
            .is_some_and(|member| **member == expected)
    };
    assert!(is_shown(&one));
    until("the other sees it", || is_shown(&other)).await;
    mine.deregister().await.unwrap();
    assert!(one.ids().is_empty());
    other.lists(&[]).await;
    assert!(one.registry.services().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_member_is_a_record_that_people_can_read_and_it_ends_with_its_session() {
    let (log, one, _other) = two().await;
    let raw: Globe<String, Value> = open(&log, "services").await;
    let _mine = one.register(Member::new("web/7", 80).zone("a")).await;
    let expected = json!({"state": "up", "weight": 100, "zone": "a", "data": 80});
    until("it is there", || {
        raw.get("billing/web%2F7").as_deref() == Some(&expected)
    })
    .await;
    let lease = raw.get_entry("billing/web%2F7");
    assert!(lease.as_ref().is_some_and(|entry| entry.lease().is_some()));
    one.session.close().await.unwrap();
    within("it goes", raw.wait_for(|view| view.is_empty()))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_record_by_hand_is_a_member_by_its_key() {
    let (log, one, _other) = two().await;
    let by_hand = br#"{"id":"somebody-else","data":80,"since":"today"}"#;
    write_raw(&log, "services", "billing/by%2Fhand", by_hand).await;
    lists(&one.registry, &["by/hand"]).await;
    let members = one.registry.members(SERVICE);
    assert_eq!(
        **members.get("by/hand").unwrap(),
        Member::new("by/hand", 80)
    );
}

#[tokio::test(start_paused = true)]
async fn nonsense_harms_nobody_else_and_is_counted() {
    let (log, one, _other) = two().await;
    let _mine = one.register(Member::new("web-7", 80)).await;
    for (key, value) in [
        ("billing/bad", &br#"{"data":"no number"}"#[..]),
        ("billing/paused", br#"{"state":"asleep","data":80}"#),
        ("billing/worse", b"\xff"),
        ("billing", br#"{"data":80}"#),
        ("billing/a/b", br#"{"data":80}"#),
        ("billing/%41", br#"{"data":80}"#),
    ] {
        write_raw(&log, "services", key, value).await;
    }
    let _other = one.register(Member::new("web-8", 80)).await;
    assert_eq!(one.ids(), ["web-7", "web-8"]);
    let status = one.registry.status();
    assert_eq!((status.map.quarantined, status.misnamed), (3, 3));
    assert_eq!((status.services, status.members), (1, 2));
}

/// What was good is shown on, as the map does.
#[tokio::test(start_paused = true)]
async fn nonsense_over_a_member_leaves_it_as_it_was() {
    let (log, one, other) = two().await;
    let _mine = one.register(Member::new("web-7", 80)).await;
    other.lists(&["web-7"]).await;
    write_raw(&log, "services", "billing/web-7", b"nonsense").await;
    until("it is seen", || {
        other.registry.status().map.quarantined == 1
    })
    .await;
    assert_eq!(other.ids(), ["web-7"]);
}

#[tokio::test(start_paused = true)]
async fn all_that_went_in_one_step_is_seen_in_one_step() {
    let log = MemoryLog::new();
    let raw: Globe<String, Value> = open(&log, "services").await;
    let registry = registry(&log).await;
    for round in 0..20 {
        let value = json!({"data": round});
        let both = ["billing/a", "billing/b"].map(|key| (key.to_owned(), value.clone()));
        let writing = tokio::spawn({
            let raw = raw.clone();
            async move { raw.put_all(both).await.unwrap() }
        });
        loop {
            let members = registry.members(SERVICE);
            let of = |id: &str| members.get(id).map(|member| *member.data);
            assert_eq!(of("a"), of("b"));
            if of("a") == Some(round) {
                break;
            }
            tokio::task::yield_now().await;
        }
        writing.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn members_stand_still_and_say_where_they_are_true() {
    let (_log, one, _other) = two().await;
    let _mine = one.register(Member::new("web-7", 80)).await;
    let members = one.registry.members(SERVICE);
    let _another = one.register(Member::new("web-8", 80)).await;
    assert_eq!(members.len(), 1);
    let later = one.registry.members(SERVICE);
    assert!(later.position().covers(members.position()));
    assert_ne!(later.position(), members.position());
    assert_eq!((&later).into_iter().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_id_with_anything_in_it_leads_to_itself() {
    let (_log, one, other) = two().await;
    let strange = ["a/b", "%2F", "ä ö", "\n", "billing/web-7", "..", "a%b"];
    let mut all = Vec::new();
    for id in strange {
        all.push(one.register(Member::new(id, 80)).await);
    }
    let mut expected = strange.to_vec();
    expected.sort_unstable();
    other.lists(&expected).await;
    for mine in all {
        mine.deregister().await.unwrap();
    }
    other.lists(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn services_do_not_mix_even_where_their_names_begin_alike() {
    let (_log, one, _other) = two().await;
    let services = ["billing", "billing2", "billing/eu", "b"];
    let mut all = Vec::new();
    for service in services {
        let member = Member::new(format!("of {service}"), 80);
        let registering = one.registry.register(&one.session, service, member);
        all.push(registering.await.unwrap());
    }
    for service in services {
        let members = one.registry.members(service);
        let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
        assert_eq!(ids, [format!("of {service}")]);
    }
    let mut sorted = services.map(str::to_owned).to_vec();
    sorted.sort_unstable();
    assert_eq!(one.registry.services(), sorted);
    assert!(one.registry.members("").is_empty());
    assert!(one.registry.members("nobody").is_empty());
}

/// An id is taken over: from the lease of a dead process, and from one that lives.
#[tokio::test(start_paused = true)]
async fn who_registers_an_id_has_it_and_who_had_it_learns_of_it() {
    let (_log, one, other) = two().await;
    let mut events = one.session.events();
    let first = one.register(Member::new("web-7", 1)).await;
    let second = other.register(Member::new("web-7", 2)).await;
    assert!(second.is_registered());
    until("the first learns of it", || !first.is_registered()).await;
    let told = within("it is told", events.next()).await.unwrap();
    let expected = matches!(&told, SessionEvent::Displaced { key, .. } if key == "billing/web-7");
    assert!(expected, "{told:?}");
    let refused = first.set(|me| me.weight = 1).await;
    fails_with(refused, ErrorKind::NotHeld);
    fails_with(first.deregister().await, ErrorKind::NotHeld);
    tokio::time::sleep(TTL * 2).await;
    assert_eq!(other.ids(), ["web-7"]);
    assert_eq!(
        *other.registry.members(SERVICE).get("web-7").unwrap().data,
        2
    );
    assert!(second.is_registered());
}

#[tokio::test(start_paused = true)]
async fn a_registry_is_closed_with_its_last_handle_and_keeps_nothing() {
    let log = MemoryLog::new();
    let registry: Registry<u16> = registry(&log).await;
    let session = Session::open(log.clone()).await.unwrap();
    let data = std::sync::Arc::new(80_u16);
    let mut member = Member::new("web-7", 80_u16);
    member.data = std::sync::Arc::clone(&data);
    let mine = registry.register(&session, SERVICE, member).await.unwrap();
    let mut watch = registry.watch(SERVICE);
    let picker = registry.picker(SERVICE, Pick::default());
    assert_eq!(ids(&registry), ["web-7"]);
    drop(registry);
    // A picker and a registration keep it.
    tokio::time::sleep(TTL).await;
    assert!(mine.is_registered() && picker.pick().is_some());
    mine.deregister().await.unwrap();
    assert!(within("it left", watch.next()).await.is_some());
    drop(picker);
    session.close().await.unwrap();
    assert!(within("the watch ends", watch.next()).await.is_none());
    let is_let_go = || std::sync::Arc::strong_count(&data) == 1;
    drop(watch);
    until("nothing is kept", is_let_go).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_members_are_read_when_it_is_closed() {
    let (_log, one, _other) = two().await;
    let mine = one.register(Member::new("web-7", 80)).await;
    let mut watch = one.registry.watch(SERVICE);
    let nobody = one.registry.picker("nobody", Pick::Random);
    one.registry.close().await;
    assert!(within("the watch ends", watch.next()).await.is_none());
    let ready = within("who waits is told", nobody.ready()).await;
    fails_with(ready, ErrorKind::Closed);
    assert_eq!(one.ids(), ["web-7"]);
    assert!(!mine.is_registered(), "nobody can tell any more");
}
