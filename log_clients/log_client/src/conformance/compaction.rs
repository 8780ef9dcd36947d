//! Forgotten history: it is said, and nothing is lost in silence.
//!
//! Where a log may still have what another forgot, both outcomes pass, whole or `Compacted`, but never a hole.

use super::harness::Harness;
use super::mirror::{Mirror, revisions};
use super::space::{Space, refusal, soon};
use crate::error::ErrorKind;
use crate::position::{Position, Revision};
use crate::record::Batch;

pub async fn a_tail_from_forgotten_history_fails_with_compacted(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let old = space.put("a", "1").await;
    for value in ["2", "3", "4"] {
        space.put("a", value).await;
    }
    let recent = space.put("b", "1").await;
    soon("a compaction", harness.compact(recent.revision)).await;
    let tail = space.tail(old).await;
    assert_eq!(refusal(tail).await, ErrorKind::Compacted);
    // It stays forgotten when it is quiet, and through another client.
    let tail = space.elsewhere(harness).await.tail(old).await;
    assert_eq!(refusal(tail).await, ErrorKind::Compacted);
}

pub async fn compaction_exactly_at_the_cursor_loses_nothing(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("a", "1").await;
    let (cursor, _) = space.snapshot().await;
    let known = space.records().await;
    let next = space.put("a", "2").await;
    let last = space.delete("a").await;
    soon("a compaction", harness.compact(cursor.revision)).await;
    let mirror = Mirror::of(&space, cursor, known).await;
    whole_or_compacted(mirror, &[next, last]).await;
    assert!(space.records().await.is_empty());
}

pub async fn compaction_exactly_at_a_delete_does_not_lose_it(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("a", "1").await;
    space.put("b", "1").await;
    let (cursor, _) = space.snapshot().await;
    let known = space.records().await;
    let deleted = space.delete("a").await;
    soon("a compaction", harness.compact(deleted.revision)).await;
    let mirror = Mirror::of(&space, cursor, known).await;
    whole_or_compacted(mirror, &[deleted]).await;
    assert_eq!(space.record("a").await, None);
    let mut mirror = Mirror::open(&space).await;
    let after = space.put("c", "1").await;
    assert_eq!(mirror.next().await.revision, after.revision);
}

pub async fn an_open_tail_overtaken_by_compaction_is_whole_or_compacted(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("a", "0").await;
    let mirror = Mirror::open(&space).await;
    let mut written = Vec::new();
    for value in ["1", "2", "3"] {
        written.push(space.put("a", value).await);
    }
    written.push(space.delete("a").await);
    let head = space.head().await;
    soon("a compaction", harness.compact(head.revision)).await;
    whole_or_compacted(Ok(mirror), &written).await;
}

/// Either every one of `written` arrives in its batch, or the tail says that it cannot know.
async fn whole_or_compacted(mirror: crate::Result<Mirror>, written: &[Position]) {
    let last = written[written.len() - 1];
    let mut seen: Vec<Batch> = Vec::new();
    let outcome = match mirror {
        Ok(mut mirror) => follow(&mut mirror, last, &mut seen).await,
        Err(error) => Err(error),
    };
    let expected: Vec<Revision> = written.iter().map(|position| position.revision).collect();
    match outcome {
        Ok(()) => assert_eq!(revisions(&seen), expected),
        Err(error) => {
            assert_eq!(error.kind(), &ErrorKind::Compacted, "{error}");
            let before_the_gap = &expected[..seen.len()];
            assert_eq!(revisions(&seen), before_the_gap);
        }
    }
}

async fn follow(mirror: &mut Mirror, to: Position, seen: &mut Vec<Batch>) -> crate::Result<()> {
    while !mirror.position.covers(to) {
        let batch = mirror.step().await?;
        if !batch.is_progress() {
            seen.push(batch);
        }
    }
    Ok(())
}

pub async fn compaction_amid_the_pages_of_a_snapshot_leaves_no_hole(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.fill(1500).await;
    let mut snapshot = space.log.snapshot(&space.keyspace).await.unwrap();
    let mut records = soon("a page", snapshot.next_page()).await.unwrap().unwrap();
    space.delete("key-000001").await;
    space.delete("key-001499").await;
    let head = space.put("key-001400", "after").await;
    soon("a compaction", harness.compact(head.revision)).await;
    let error = loop {
        match soon("a page", snapshot.next_page()).await {
            Ok(Some(page)) => records.extend(page),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    match error {
        Some(error) => assert_eq!(error.kind(), &ErrorKind::Compacted, "{error}"),
        None => assert_eq!(records.len(), 1500, "a hole"),
    }
    assert!(records.iter().all(|record| record.value == "before"));
    assert_eq!(soon("the end", snapshot.next_page()).await.unwrap(), None);
    assert_eq!(space.records().await.len(), 1498);
}

pub async fn a_compacted_log_still_holds_every_live_record(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let first = space.put("key", "1").await;
    let second = space.put("key", "2").await;
    space.put("other", "1").await;
    space.delete("other").await;
    let head = space.head().await;
    soon("a compaction", harness.compact(head.revision)).await;
    let (position, records) = space.snapshot().await;
    assert!(position.covers(head));
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].created, first.revision);
    assert_eq!(records[0].modified, second.revision);
}
