//! Locks that are shared, and permits.

use globe::{ErrorKind, Fenced};
use tokio::time::sleep;

use crate::rig::{fails_with, until, within};
use crate::{SECOND, beside, two};

#[tokio::test(start_paused = true)]
async fn readers_share_and_no_writer_starves() {
    let (_log, one, other) = two().await;
    let first = one.rw_lock().read().await.unwrap();
    let second = other.rw_lock().read().await.unwrap();
    assert!(first.is_held() && second.is_held());
    let writer = beside({
        let lock = other.rw_lock();
        async move { lock.write().await.unwrap() }
    });
    one.counts(3).await;
    // Who comes after the writer waits for it, though only readers hold.
    assert!(one.rw_lock().try_read().await.unwrap().is_none());
    let reader = beside({
        let lock = one.rw_lock();
        async move { lock.read().await.unwrap() }
    });
    one.counts(4).await;
    first.release().await.unwrap();
    sleep(SECOND).await;
    assert!(!writer.is_finished());
    second.release().await.unwrap();
    let writer = within("the writer has it", writer).await.unwrap();
    sleep(SECOND).await;
    assert!(!reader.is_finished());
    assert!(one.rw_lock().try_write().await.unwrap().is_none());
    writer.release().await.unwrap();
    let _guard = within("the reader has it", reader).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn permits_are_never_exceeded_and_a_large_request_is_not_passed_over() {
    let (_log, one, other) = two().await;
    let two_of_three = one.semaphore(3).acquire(2).await.unwrap();
    let large = beside({
        let semaphore = other.semaphore(3);
        async move { semaphore.acquire(3).await.unwrap() }
    });
    one.counts(3).await; // with the record of the permits
    // One is free, but somebody waits before.
    assert!(one.semaphore(3).try_acquire(1).await.unwrap().is_none());
    two_of_three.release().await.unwrap();
    let large = within("all are had", large).await.unwrap();
    assert!(one.semaphore(3).try_acquire(1).await.unwrap().is_none());
    large.release().await.unwrap();
    let some = [(); 3].map(|()| one.semaphore(3));
    let mut held = Vec::new();
    for semaphore in &some {
        held.push(semaphore.acquire(1).await.unwrap());
    }
    assert!(other.semaphore(3).try_acquire(1).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn how_many_permits_there_are_stands_in_the_log() {
    let (_log, one, other) = two().await;
    assert_eq!(one.semaphore(3).permits(), None);
    let held = one.semaphore(3).acquire(3).await.unwrap();
    until("it is seen", || other.semaphore(7).permits() == Some(3)).await;
    fails_with(other.semaphore(7).acquire(4).await, ErrorKind::Invalid);
    other.semaphore(7).resize(5).await.unwrap();
    other
        .semaphore(3)
        .acquire(2)
        .await
        .unwrap()
        .release()
        .await
        .unwrap();
    // Fewer than are held: who holds keeps what he has, and nobody is let in.
    other.semaphore(7).resize(1).await.unwrap();
    until("it is seen", || one.semaphore(3).permits() == Some(1)).await;
    assert!(held.is_held());
    let waiting = beside({
        let semaphore = other.semaphore(1);
        async move { semaphore.acquire(1).await.unwrap() }
    });
    sleep(SECOND).await;
    assert!(!waiting.is_finished());
    held.release().await.unwrap();
    let _guard = within("one is had", waiting).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_the_record_of_the_permits_nobody_is_let_in() {
    let (_log, one, other) = two().await;
    let semaphore = one.semaphore(2);
    let held = semaphore.acquire(1).await.unwrap();
    let request = semaphore.request(1).await.unwrap();
    one.claims.delete("semaphore/uploads").await.unwrap();
    let waiting = beside(request.acquire());
    sleep(SECOND).await;
    assert!(!waiting.is_finished() && held.is_held());
    other.semaphore(2).resize(2).await.unwrap();
    let _guard = within("it is had", waiting).await.unwrap().unwrap();
}

/// It would be in the way of all behind it for ever.
#[tokio::test(start_paused = true)]
async fn who_waits_for_more_permits_than_there_are_by_now_is_told_and_in_nobodys_way() {
    let (_log, one, other) = two().await;
    let held = one.semaphore(3).acquire(2).await.unwrap();
    let waits = |process: &crate::Process, permits| {
        let semaphore = process.semaphore(3);
        beside(async move { semaphore.acquire(permits).await })
    };
    let large = waits(&other, 3);
    one.counts(3).await; // with the record of the permits
    let small = waits(&one, 1);
    one.counts(4).await;
    other.semaphore(3).resize(2).await.unwrap();
    let large = within("it is told", large).await.unwrap();
    let error = fails_with(large, ErrorKind::Invalid);
    assert!(error.to_string().contains("has 2 permits"), "{error}");
    one.counts(3).await;
    assert!(!small.is_finished() && held.is_held());
    held.release().await.unwrap();
    let small = within("who was behind has it", small).await.unwrap();
    assert!(small.unwrap().is_held());
}
