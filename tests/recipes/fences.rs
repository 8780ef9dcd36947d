//! What a former holder does late: refused, in the log and elsewhere.

use futures::FutureExt;
use globe::{ErrorKind, Fenced, Gate, Globe, LogClient, MemoryLog};

use crate::rig::{fails_with, open, until};
use crate::{Process, two};

async fn state(process: &Process) -> Globe<String, u64> {
    open(&process.way, "state").await
}

/// Each write is made only by who holds then: a former owner writes nothing, however he comes to it.
#[tokio::test(start_paused = true)]
async fn two_fenced_owners_never_write() {
    let (_log, one, other) = two().await;
    let (mine, theirs) = (state(&one).await, state(&other).await);
    let guard = one.acquire().await;
    let write = |txn: &mut globe::Txn<'_>| {
        txn.require(&guard)?;
        txn.put(&mine, "owner", 1)
    };
    mine.transact(write).await.unwrap();
    other.counts(1).await;
    other.claims.clear().await.unwrap();
    let next = other.acquire().await;
    let fenced = theirs.transact(|txn| {
        txn.require(&next)?;
        txn.put(&theirs, "owner", 2)
    });
    fenced.await.unwrap();
    fails_with(mine.transact(write).await, ErrorKind::NotHeld);
    assert_eq!(theirs.get("owner").as_deref(), Some(&2));
}

/// It was held when it was looked at, and is not when it is committed: the log itself refuses, once.
#[tokio::test(start_paused = true)]
async fn a_write_that_comes_too_late_is_refused_by_the_log() {
    let (log, one, other) = two().await;
    let mine = state(&one).await;
    let guard = one.acquire().await;
    other.counts(1).await;
    let key = other.claims.view().keys().next().unwrap().clone();
    one.way.before_the_next_commit(move || {
        let claims = crate::rig::keyspace("claims");
        let gone = globe::log_client::Transaction::new().delete(&claims, key);
        let gone = log.commit(gone).now_or_never();
        gone.unwrap().unwrap();
    });
    let mut called = 0;
    let written = mine.transact(|txn| {
        called += 1;
        txn.require(&guard)?;
        txn.put(&mine, "late", 1)
    });
    fails_with(written.await, ErrorKind::NotHeld);
    assert_eq!(called, 1, "nothing is tried again");
    mine.sync().await.unwrap();
    assert!(mine.is_empty());
}

/// What else the transaction read may change: it is tried again, and required again.
#[tokio::test(start_paused = true)]
async fn a_conflict_on_something_else_is_tried_again() {
    let (log, one, other) = two().await;
    let (mine, theirs) = (state(&one).await, state(&other).await);
    let guard = one.acquire().await;
    let mut called = 0;
    one.way.before_the_next_commit(move || {
        let space = crate::rig::keyspace("state");
        let put = globe::log_client::Transaction::new().put(&space, "count", "5");
        futures::FutureExt::now_or_never(log.commit(put))
            .unwrap()
            .unwrap();
    });
    let counted = mine.transact(|txn| {
        called += 1;
        txn.require(&guard)?;
        let count = txn.get(&mine, "count")?.map_or(0, |count| *count);
        txn.put(&mine, "count", count + 1)
    });
    counted.await.unwrap();
    assert_eq!(called, 2);
    until("it is seen", || theirs.get("count").as_deref() == Some(&6)).await;
    guard.set_value("rewritten".into()).await.unwrap();
    // A rewrite of the claim is no loss.
    mine.transact(|txn| txn.require(&guard)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_guard_in_another_log_guards_nothing() {
    let (_log, one, _other) = two().await;
    let guard = one.acquire().await;
    let elsewhere: Globe<String, u64> = open(&MemoryLog::new(), "state").await;
    let written = elsewhere.transact(|txn| {
        txn.require(&guard)?;
        txn.put(&elsewhere, "a", 1)
    });
    fails_with(written.await, ErrorKind::Invalid);
}

/// A resource outside of the log: a paused holder's late write is refused by its gate.
#[tokio::test(start_paused = true)]
async fn a_paused_holders_late_write_is_refused_by_a_gate() {
    let (_log, one, other) = two().await;
    let mut gate = Gate::default();
    gate.enter(one.claims.position().unwrap().epoch).unwrap();
    let paused = one.acquire().await;
    gate.admit(paused.token()).unwrap();
    one.way.cut(true);
    let next = other.acquire().await;
    gate.admit(next.token()).unwrap();
    fails_with(gate.admit(paused.token()), ErrorKind::NotHeld);
    gate.admit(next.token()).unwrap();
    // Readers share, until a writer has come.
    let reader = other.rw_lock().read().await.unwrap();
    gate.admit_shared(reader.token()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_restore_a_gate_is_told_of_the_new_life() {
    let (log, one, _other) = two().await;
    let mut gate = Gate::default();
    let old = one.acquire().await;
    gate.admit(old.token()).unwrap();
    log.wipe();
    let new = one.acquire().await;
    fails_with(gate.admit(new.token()), ErrorKind::NotHeld);
    gate.enter(new.token().epoch).unwrap();
    gate.admit(new.token()).unwrap();
    fails_with(gate.admit(old.token()), ErrorKind::NotHeld);
}
