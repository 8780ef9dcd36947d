//! Preconditions: when each holds, and what a failed one leaves behind.
//!
//! Never races: that is `commit.rs`.

use super::harness::Harness;
use super::mirror::Mirror;
use super::space::Space;
use crate::conflict::FailedPrecondition;
use crate::error::ErrorKind;
use crate::position::Revision;
use crate::record::{Record, Standing};
use crate::transaction::{Precondition, Transaction};

pub async fn each_precondition_is_true_and_false_when_it_should_be(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let created = space.put("there", "1").await.revision;
    let modified = space.put("there", "2").await.revision;
    let other = space.put("other", "1").await.revision;
    space.put("deleted", "1").await;
    let deleted = space.delete("deleted").await.revision;
    use Precondition::{Absent, At, Present, Since};
    for (key, precondition, expected) in [
        ("there", Absent, false),
        ("there", Present, true),
        ("there", At(modified), true),
        ("there", At(created), false),
        ("there", At(other), false),
        ("there", At(modified.next()), false),
        ("there", At(Revision::ZERO), false),
        ("there", Since(created), true),
        ("there", Since(modified), false),
        ("there", Since(other), false),
        ("there", Since(Revision::ZERO), false),
        ("deleted", Absent, true),
        ("deleted", Present, false),
        ("deleted", At(deleted), false),
        ("deleted", Since(deleted), false),
        ("missing", Absent, true),
        ("missing", Present, false),
        ("missing", At(modified), false),
        // Some logs answer zero for a key that does not exist: still there is no such key.
        ("missing", At(Revision::ZERO), false),
        ("missing", Since(Revision::ZERO), false),
    ] {
        let holds = space.holds(key, precondition).await;
        assert_eq!(holds, expected, "{key} {precondition:?}");
    }
}

pub async fn a_revision_from_before_delete_and_recreate_does_not_hold(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let old = space.put("key", "same").await.revision;
    space.delete("key").await;
    assert!(!space.holds("key", Precondition::At(old)).await);
    let new = space.put("key", "same").await.revision;
    assert!(!space.holds("key", Precondition::At(old)).await);
    assert!(space.holds("key", Precondition::At(new)).await);
    let late = Transaction::new()
        .when(&space.keyspace, "key", Precondition::At(old))
        .delete(&space.keyspace, "key");
    assert!(space.refused(late).await.is_conflict());
    assert_eq!(space.record("key").await.unwrap().modified, new);
}

pub async fn what_a_key_was_created_by_holds_through_rewrites_and_not_after_a_recreation(
    harness: &dyn Harness,
) {
    let space = Space::fresh(harness);
    let created = space.put("key", "1").await.revision;
    let since = Precondition::Since(created);
    let rewrite = Transaction::new().when(&space.keyspace, "key", since);
    let rewrite = rewrite.put(&space.keyspace, "key", "2");
    space.commit(rewrite.clone()).await;
    space.commit(rewrite.clone()).await;
    assert_eq!(space.record("key").await.unwrap().created, created);
    space.delete("key").await;
    space.put("key", "2").await;
    assert!(space.refused(rewrite).await.is_conflict());
}

pub async fn a_failed_precondition_writes_nothing(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("there", "1").await;
    space.put("victim", "1").await;
    let mut mirror = Mirror::open(&space).await;
    let before = mirror.records.clone();
    let one_of_two_fails = Transaction::new()
        .when(&space.keyspace, "there", Precondition::Present)
        .when(&space.keyspace, "missing", Precondition::Present)
        .put(&space.keyspace, "new", "value")
        .put(&space.keyspace, "there", "2")
        .delete(&space.keyspace, "victim");
    assert!(space.refused(one_of_two_fails).await.is_conflict());
    assert_eq!(space.records().await, before);
    let after = space.put("after", "1").await;
    assert_eq!(mirror.next().await.revision, after.revision);
}

pub async fn a_conflict_says_all_that_failed_and_what_stood_there(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let there = space.put("there", "1").await;
    let at = space.put("at", "1").await;
    let error = space.refused(
        Transaction::new()
            .when(&space.keyspace, "there", Precondition::Absent)
            .when(&space.keyspace, "at", Precondition::At(at.revision))
            .when(&space.keyspace, "missing", Precondition::Present)
            .when(&space.keyspace, "at", Precondition::At(there.revision))
            .put(&space.keyspace, "new", "value"),
    );
    let error = error.await;
    let ErrorKind::Conflict(conflict) = error.kind() else {
        panic!("a conflict was expected: {error}");
    };
    assert!(conflict.position.covers(at));
    let stood = |key: &'static str, found: Option<Record>| {
        let found = found.as_ref().map(Standing::from);
        FailedPrecondition::new(space.keyspace.clone(), key, found)
    };
    let mut failed = conflict.failed.clone();
    failed.sort_by(|a, b| a.key().cmp(b.key()));
    let expected = [
        stood("at", space.record("at").await),
        stood("missing", None),
        stood("there", space.record("there").await),
    ];
    assert_eq!(failed, expected);
}

pub async fn a_precondition_on_another_key_guards_the_write(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let guard = space.put("guard", "1").await.revision;
    let guarded = |at| {
        Transaction::new()
            .when(&space.keyspace, "guard", Precondition::At(at))
            .put(&space.keyspace, "key", "value")
    };
    space.commit(guarded(guard)).await;
    let moved = space.put("guard", "2").await.revision;
    assert!(space.refused(guarded(guard)).await.is_conflict());
    space.commit(guarded(moved)).await;
}
