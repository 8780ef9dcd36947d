//! Differences: what is known and what they say make exactly what is there.
//!
//! Never takes a difference's word for it: what comes of it is compared with a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::cancel::drop_after;
use super::harness::Harness;
use super::known::{Known, Numbers, compact, rest, telling};
use super::mirror::Mirror;
use super::outage::when_found;
use super::space::{PATIENCE, Space, in_bounded_time, of_another_life, soon};
use crate::error::ErrorKind;
use crate::position::Revision;
use crate::record::Record;
use crate::transaction::Transaction;

/// How far a position is ahead of everything that is committed here.
const AHEAD: u64 = 1_000_000;

/// Writes and deletes here and there.
async fn scribble(space: &Space, keys: &[String], commits: u64, numbers: &mut Numbers) {
    for _ in 0..commits {
        let mut transaction = Transaction::new();
        let mut written = BTreeSet::new();
        for _ in 0..=numbers.below(7) {
            let key = &keys[numbers.below(keys.len() as u64) as usize];
            if !written.insert(key) {
                continue;
            }
            transaction = match numbers.below(3) {
                0 => transaction.delete(&space.keyspace, key.clone()),
                _ => transaction.put(&space.keyspace, key.clone(), format!("{}", numbers.0)),
            };
        }
        space.commit(transaction).await;
    }
}

pub async fn a_difference_makes_what_is_there_of_what_was_known(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    let names = [
        "a",
        "a/",
        "a/b",
        "a0",
        "key",
        "key-000000/x",
        "ö",
        "\u{1}",
        "\u{10ffff}",
    ];
    let mut keys: Vec<String> = names.map(str::to_owned).into();
    keys.extend((0..700).map(|number| format!("key-{number:06}")));
    space.fill(500).await;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut now, mut long_ago) = (Known::of(&space).await, Known::of(&space).await);
    for commits in [0, 1, 2, 40, 80, 5, 1, 0] {
        scribble(&space, &keys, commits, &mut numbers).await;
        now.catch_up(&space).await;
        if commits == 5 {
            compact(harness, now.position).await;
        }
        long_ago.clone().catch_up(&space).await;
    }
    long_ago.catch_up(&space).await;
    assert_eq!(
        long_ago.catch_up(&space).await,
        0,
        "nothing has changed since"
    );
}

pub async fn a_difference_holds_what_has_changed_and_nothing_else(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.fill(600).await;
    let mut known = Known::of(&space).await;
    space.put("key-000300", "after").await;
    space.put("key-000300", "again").await;
    space.put("key-000127", "").await;
    space.put("key-000128/new", "after").await;
    space.put("key-000600", "after").await;
    space.put("a", "after").await;
    for gone in ["key-000000", "key-000256", "key-000599"] {
        space.delete(gone).await;
    }
    space.put("gone before it was known", "").await;
    space.delete("gone before it was known").await;
    assert_eq!(known.catch_up(&space).await, 8);
}

pub async fn forgotten_history_is_not_needed_for_a_difference(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.fill(300).await;
    let mut known = Known::of(&space).await;
    let mut before = known.clone();
    space.delete("key-000007").await;
    space.put("key-000008", "after").await;
    let last = space.delete("key-000009").await;
    compact(harness, last).await;
    assert_eq!(known.catch_up(&space).await, 3);
    space.delete("key-000010").await;
    assert_eq!(known.catch_up(&space).await, 1);
    assert_eq!(before.catch_up(&space).await, 4);
}

pub async fn a_difference_to_nothing_known_is_the_whole_keyspace(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    let mut nothing = Known::of(&space).await;
    assert_eq!(nothing.clone().catch_up(&space).await, 0);
    space.fill(1100).await;
    assert_eq!(nothing.catch_up(&space).await, 1100);
}

pub async fn a_difference_of_an_emptied_keyspace_deletes_every_known_key(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.fill(300).await;
    let mut known = Known::of(&space).await;
    let keys: Vec<Bytes> = known.records.keys().cloned().collect();
    for keys in keys.chunks(space.capabilities().max_operations.min(100)) {
        let deletes = keys.iter().fold(Transaction::new(), |deletes, key| {
            deletes.delete(&space.keyspace, key.clone())
        });
        space.commit(deletes).await;
    }
    let mut filled_anew = known.clone();
    assert_eq!(known.catch_up(&space).await, 300);
    for number in 0..300 {
        space.put(format!("new-{number:03}"), "value").await;
    }
    assert_eq!(filled_anew.catch_up(&space).await, 600);
}

pub async fn a_key_that_was_deleted_and_created_again_is_put(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    for key in ["a", "b", "c"] {
        space.put(key, "before").await;
    }
    let mut known = Known::of(&space).await;
    space.delete("b").await;
    let again = space.put("b", "before").await;
    assert_eq!(known.catch_up(&space).await, 1);
    assert_eq!(known.records[&b"b"[..]].created, again.revision);
}

pub async fn what_a_lease_took_with_it_is_deleted_by_a_difference(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    if !space.capabilities().leases {
        return;
    }
    let [short, long] = [Duration::from_secs(1), 10 * PATIENCE];
    let short = soon("a lease", space.log.grant(short)).await.unwrap();
    let long = soon("a lease", space.log.grant(long)).await.unwrap();
    for (key, lease) in [("short", short), ("long", long), ("revoked", long)] {
        let leased = Transaction::new().put_leased(&space.keyspace, key, "value", lease.id);
        match space.try_commit(leased).await {
            Ok(_) => {}
            // The machine was too slow for so short a lease: there is nothing to see.
            Err(error) => return assert_eq!(error.kind(), &ErrorKind::LeaseLost),
        }
    }
    let mut known = Known::of(&space).await;
    let mut mirror = Mirror::open(&space).await;
    let ended = async {
        while mirror.records.contains_key(&b"short"[..]) {
            mirror.step_at_leisure().await.unwrap();
        }
    };
    let ended = tokio::time::timeout(short.ttl + PATIENCE, ended).await;
    ended.expect("the end of a lease");
    known.catch_up(&space).await;
    assert_eq!(known.records[&b"long"[..]].lease, Some(long.id));
    soon("a revocation", space.log.revoke(long.id))
        .await
        .unwrap();
    assert_eq!(known.catch_up(&space).await, 2);
    assert!(known.records.is_empty());
}

pub async fn another_life_and_the_future_have_no_difference_here(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.put("key", "value").await;
    let mut known = Known::of(&space).await;
    let refusal = async |known: &Known| {
        let error = match known.ask(&space).await {
            Err(error) => error,
            Ok(difference) => panic!("{difference:?} from {}", known.position),
        };
        error.kind().clone()
    };
    let strange = Known {
        position: of_another_life(known.position),
        ..known.clone()
    };
    assert_eq!(refusal(&strange).await, ErrorKind::EpochChanged);
    let head = space.head().await;
    assert!(head.covers(known.position), "it was taken for news");
    if harness.wipe().await {
        when_found(&space).await;
        while space.put("key", "of another life").await.revision <= known.position.revision {}
        assert_eq!(refusal(&known).await, ErrorKind::EpochChanged);
        known = Known::of(&space).await;
        space.put("key", "later").await;
        assert_eq!(known.catch_up(&space).await, 1);
    }
    // Who comes from beyond the head has seen a log that went back since. It may well be taken for that.
    known.position.revision = Revision(known.position.revision.0 + AHEAD);
    assert_eq!(refusal(&known).await, ErrorKind::EpochChanged);
}

pub async fn a_difference_never_sees_a_neighbour(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    let neighbours = ["-", ".", "0", "a"].map(|more| space.beside(more));
    for one in neighbours.iter().chain([&space]) {
        one.fill(20).await;
    }
    let mut known = Known::of(&space).await;
    let mut nothing = Known {
        position: known.position,
        records: BTreeMap::new(),
    };
    for neighbour in &neighbours {
        neighbour.put("key-000003", "after").await;
        neighbour.put("new", "after").await;
        neighbour.delete("key-000004").await;
    }
    assert_eq!(known.catch_up(&space).await, 0);
    assert_eq!(nothing.catch_up(&space).await, 20);
}

pub async fn a_difference_reflects_every_commit_acknowledged_before_it(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    let there = space.elsewhere(harness).await;
    let mut known = Known::of(&space).await;
    for round in 0..20 {
        let written = there.put("key", format!("round {round}")).await;
        known.catch_up(&space).await;
        let at = known.position;
        assert!(at.covers(written), "{at} is older than {written}");
        assert_eq!(known.records[&b"key"[..]].modified, written.revision);
    }
}

pub async fn all_pages_of_a_difference_are_true_at_its_position(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    let nothing = Known::of(&space).await;
    space.fill(1500).await;
    for mut known in [nothing, Known::of(&space).await] {
        let filled = space.fill(1500).await;
        let there = space.records().await;
        let mut difference = known.ask(&space).await.unwrap();
        let page = soon("a page", difference.next_page()).await;
        let mut changes = page.unwrap().unwrap();
        let amid = Transaction::new()
            .put(&space.keyspace, "key-000000", "after")
            .put(&space.keyspace, "key-001499", "after")
            .put(&space.keyspace, format!("key-001499/{filled}"), "new")
            .delete(&space.keyspace, "key-001498");
        space.commit(amid).await;
        rest(&mut difference, &mut changes).await.unwrap();
        known.apply(&changes, difference.position());
        assert_eq!(known.records, there);
        assert_eq!(known.catch_up(&space).await, 4);
    }
}

pub async fn compaction_amid_the_pages_of_a_difference_leaves_no_hole(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.fill(1000).await;
    let mut known = Known::of(&space).await;
    space.fill(1500).await;
    let there = space.records().await;
    let mut difference = known.ask(&space).await.unwrap();
    let mut changes = soon("a page", difference.next_page())
        .await
        .unwrap()
        .unwrap();
    space.delete("key-000001").await;
    let last = space.put("key-001499", "after").await;
    compact(harness, last).await;
    match rest(&mut difference, &mut changes).await {
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Compacted, "{error}"),
        Ok(()) => {
            let mut then = known.clone();
            then.apply(&changes, difference.position());
            assert_eq!(then.records, there, "a hole");
        }
    }
    assert_eq!(soon("the end", difference.next_page()).await.unwrap(), None);
    known.catch_up(&space).await;
}

pub async fn a_tail_goes_on_where_a_difference_ends(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.fill(300).await;
    let mut known = Known::of(&space).await;
    // What changed last is a put, a delete, and nothing.
    for round in 0..3 {
        match round {
            0 => space.put("key-000007", "after").await,
            1 => space.delete("key-000008").await,
            _ => space.head().await,
        };
        compact(harness, space.head().await).await;
        known.catch_up(&space).await;
        let mirror = Mirror::of(&space, known.position, known.records.clone());
        let mut mirror = mirror.await.unwrap();
        let written = space.put("key-000009", "later").await;
        assert_eq!(mirror.next().await.revision, written.revision);
        assert_eq!(mirror.records, space.records().await);
    }
}

pub async fn large_values_come_in_a_difference(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    let size = space.capabilities().max_value_bytes.min(512 * 1024);
    space.fill(200).await;
    let mut known = Known::of(&space).await;
    for number in 0..40 {
        let key = format!("key-{:06}", number * 7);
        space.put(key, vec![number as u8; size]).await;
    }
    space.delete("key-000001").await;
    assert_eq!(known.catch_up(&space).await, 41);
}

pub async fn a_key_known_in_error_is_deleted_and_one_that_is_missing_is_put(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.fill(300).await;
    let known = Known::of(&space).await;
    let mut too_many = known.clone();
    for key in ["a", "key-000200/never", "z"] {
        let never = Record::new(key, "", Revision(1), Revision(1));
        too_many.records.insert(never.key.clone(), never);
    }
    assert_eq!(too_many.catch_up(&space).await, 3);
    let mut too_few = known.clone();
    for key in ["key-000000", "key-000150", "key-000299"] {
        too_few.records.remove(key.as_bytes());
    }
    assert_eq!(too_few.catch_up(&space).await, 3);
}

pub async fn dropping_half_read_differences_loses_nothing(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.fill(300).await;
    let known = Known::of(&space).await;
    space.fill(600).await;
    for polls in 0..30 {
        drop_after(polls, known.ask(&space)).await;
        let mut difference = known.ask(&space).await.unwrap();
        drop_after(polls % 5, difference.next_page()).await;
    }
    // One whose every question is dropped, again and again, until it is answered.
    let mut difference = known.ask(&space).await.unwrap();
    let mut changes = Vec::new();
    let everything = async {
        loop {
            match drop_after(1, difference.next_page()).await {
                Some(page) => match page.unwrap() {
                    Some(page) => changes.extend(page),
                    None => return,
                },
                None => tokio::task::yield_now().await,
            }
        }
    };
    soon("all pages", everything).await;
    let mut then = known.clone();
    then.apply(&changes, difference.position());
    assert_eq!(then.records, space.records().await);
}

pub async fn a_log_taken_away_between_pages_leaves_no_short_difference(harness: &dyn Harness) {
    let Some(space) = telling(harness).await else {
        return;
    };
    space.fill(1000).await;
    let mut known = Known::of(&space).await;
    space.fill(1500).await;
    let mut difference = known.ask(&space).await.unwrap();
    let mut changes = soon("a page", difference.next_page())
        .await
        .unwrap()
        .unwrap();
    let is_away = harness.set_reachable(false).await;
    let outcome = rest(&mut difference, &mut changes).await;
    let refused = in_bounded_time("a difference", known.ask(&space)).await;
    harness.set_reachable(true).await;
    match outcome {
        Ok(()) => assert_eq!(changes.len(), 1500, "a short difference"),
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}"),
    }
    match refused {
        Ok(_) => assert!(!is_away, "a log that is away answered"),
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}"),
    }
    assert_eq!(soon("the end", difference.next_page()).await.unwrap(), None);
    when_found(&space).await;
    assert_eq!(known.catch_up(&space).await, 1500);
}
