//! Watches: exact differences, at everybody's own pace.

use std::collections::BTreeMap;
use std::sync::Arc;

use globe::registry::{Member, MemberChange, MembersWatch, State};

use crate::rig::{delete_raw, until, within, write_raw};
use crate::{SERVICE, TTL, two};

/// What is shown, as a text for each change.
async fn shown(watch: &mut MembersWatch<u16>) -> Vec<String> {
    let changes = within("there are changes", watch.next()).await.unwrap();
    let say = |change: &MemberChange<u16>| match change {
        MemberChange::Joined(member) => format!("+{}", member.id),
        MemberChange::Left(member) => format!("-{}", member.id),
        MemberChange::Changed { old, new, .. } => {
            format!("{}: {} {}", new.id, old.state, new.state)
        }
        unknown => panic!("{unknown:?}"),
    };
    changes.iter().map(say).collect()
}

#[tokio::test(start_paused = true)]
async fn joins_leaves_and_changes_are_shown_as_exact_differences() {
    let (log, one, other) = two().await;
    let _early = one.register(Member::new("a", 80)).await;
    other.lists(&["a"]).await;
    let mut watch = other.registry.watch(SERVICE);
    let mine = one.register(Member::new("b", 80)).await;
    assert_eq!(shown(&mut watch).await, ["+b"]);
    mine.set(|me| me.state = State::Down).await.unwrap();
    assert_eq!(shown(&mut watch).await, ["b: up down"]);
    // Others' services are no news.
    write_raw(&log, "services", "another/x", br#"{"data":1}"#).await;
    let mut both = vec![shown_soon(&mut watch).await];
    mine.deregister().await.unwrap();
    while !both.last().unwrap().contains(&"-b".to_owned()) {
        both.push(shown(&mut watch).await);
    }
    let all: Vec<String> = both.into_iter().flatten().collect();
    // Whether it was seen draining is a matter of pace.
    assert!(
        all == ["-b"] || all == ["b: down draining", "-b"],
        "{all:?}"
    );
}

/// Nothing, if there is nothing now.
async fn shown_soon(watch: &mut MembersWatch<u16>) -> Vec<String> {
    let none = tokio::time::timeout(TTL, watch.next()).await;
    assert!(none.is_err(), "{none:?}");
    Vec::new()
}

#[tokio::test(start_paused = true)]
async fn a_slow_watcher_sees_the_net_difference_in_the_order_of_ids() {
    let (log, one, _other) = two().await;
    let mut watch = one.registry.watch(SERVICE);
    for id in ["c", "a", "b"] {
        let key = format!("{SERVICE}/{id}");
        write_raw(&log, "services", &key, br#"{"data":1}"#).await;
    }
    write_raw(
        &log,
        "services",
        "billing/a",
        br#"{"data":1,"state":"down"}"#,
    )
    .await;
    delete_raw(&log, "services", "billing/b").await;
    one.lists(&["a", "c"]).await;
    assert_eq!(shown(&mut watch).await, ["+a", "+c"]);
    assert!(watch.try_next().is_none());
    let members = watch.catch_up().unwrap();
    assert_eq!(members.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_says_the_same_once_more_is_no_news() {
    let (log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    other.lists(&["a"]).await;
    let before = Arc::clone(other.registry.members(SERVICE).get("a").unwrap());
    let mut watch = other.registry.watch(SERVICE);
    mine.set(|_| {}).await.unwrap();
    // Its session loses its lease, and writes its entries again.
    let lease = globe::Globe::<String, serde_json::Value>::open(log.clone(), "services");
    let lease = lease.await.unwrap().get_entry("billing/a").unwrap().lease();
    globe::LogClient::revoke(&log, lease.unwrap())
        .await
        .unwrap();
    until("it is back", || mine.is_registered()).await;
    tokio::time::sleep(crate::SECOND).await;
    while watch.try_next().is_some() {}
    let after = Arc::clone(other.registry.members(SERVICE).get("a").unwrap());
    assert_eq!(*after, *before);
    mine.set(|_| {}).await.unwrap();
    mine.set(|_| {}).await.unwrap();
    assert!(watch.try_next().is_none());
}

/// Whoever applies what a watch shows has what is listed, whenever it looked and whatever it dropped.
#[tokio::test(start_paused = true)]
async fn what_a_watch_shows_adds_up_to_what_is_listed_also_where_futures_are_dropped() {
    let (log, one, _other) = two().await;
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut watch, mut sum) = (one.registry.watch(SERVICE), BTreeMap::new());
    for step in 0..500 {
        let key = format!("{SERVICE}/{}", rng.u8(..20));
        match rng.u8(..3) {
            0 => drop(delete_raw(&log, "services", &key).await),
            _ => {
                let value = format!(r#"{{"data":{step}}}"#);
                write_raw(&log, "services", &key, value).await;
            }
        }
        let bound = std::time::Duration::from_micros(rng.u64(..3000));
        let Ok(Some(changes)) = tokio::time::timeout(bound, watch.next()).await else {
            continue;
        };
        add(&mut sum, changes);
    }
    while let Some(changes) = watch.try_next() {
        add(&mut sum, changes);
    }
    // What is under way arrives.
    let _last = one.register(Member::new("last", 80)).await;
    while !sum.contains_key("last") {
        add(&mut sum, within("it is shown", watch.next()).await.unwrap());
    }
    let members = one.registry.members(SERVICE);
    assert!(sum.values().eq(members.iter()), "{sum:?}");
}

fn add(sum: &mut BTreeMap<String, Arc<Member<u16>>>, changes: Vec<MemberChange<u16>>) {
    for change in changes {
        let member = Arc::clone(change.member());
        let (before, expected) = match change {
            MemberChange::Joined(new) => (sum.insert(new.id.clone(), new), None),
            MemberChange::Left(old) => (sum.remove(&old.id), Some(old)),
            MemberChange::Changed { old, new, .. } => (sum.insert(new.id.clone(), new), Some(old)),
            unknown => panic!("{unknown:?}"),
        };
        assert_eq!(before, expected, "{member:?}");
    }
}
