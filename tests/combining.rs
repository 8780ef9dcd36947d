//! Writes of many callers at once become few transactions, and each caller is told what became of its own.
//!
//! The way to the log is held up, so that it is known which of them wait.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, poll};
use globe::{Capabilities, ErrorKind, Expected, Globe, MemoryLog, Result, Written};
use rig::{Around, fails_with, numbers, within, write_raw};
use tokio::time::Instant;

type Map = Globe<String, u64>;

/// So many are sent at once; whoever comes then waits.
const AT_ONCE: usize = 4;

/// How many write at once here.
const CROWD: usize = 20;

fn key(number: usize) -> String {
    format!("{number:02}")
}

/// A map whose way to the log is held up.
async fn held_up(log: &MemoryLog) -> (Around, Map) {
    let way = Around::new(log);
    let map = numbers(&way).await;
    way.hold_requests(true);
    (way, map)
}

/// Puts that have all begun: the first ones are on their way, and the others wait.
async fn begun(
    map: &Map,
    numbers: impl IntoIterator<Item = usize>,
) -> Vec<BoxFuture<'_, Result<Written>>> {
    let put = |number| map.put(key(number), number as u64).boxed();
    let mut puts: Vec<_> = numbers.into_iter().map(put).collect();
    for put in &mut puts {
        assert!(poll!(put).is_pending());
    }
    puts
}

async fn all(puts: Vec<BoxFuture<'_, Result<Written>>>) -> Vec<Result<Written>> {
    within("all are answered", join_all(puts)).await
}

#[tokio::test]
async fn writes_that_wait_become_one_transaction_and_each_is_told_its_own() {
    let (way, map) = held_up(&MemoryLog::new()).await;
    let puts = begun(&map, 0..CROWD).await;
    assert_eq!(way.calls().commits, AT_ONCE);
    way.hold_requests(false);
    let written = all(puts).await;
    assert_eq!(way.calls().commits, AT_ONCE + 1, "the others were one");
    for (number, written) in written.iter().enumerate() {
        let written = written.as_ref().unwrap();
        let entry = map.get_entry(&key(number)).unwrap();
        assert_eq!(
            (**entry.value(), Some(entry.version())),
            (number as u64, written.version())
        );
        assert!(!written.replaced());
    }
}

#[tokio::test]
async fn a_conflict_is_told_to_whose_key_it_is_and_the_others_go_on_together() {
    let log = MemoryLog::new();
    let (way, map) = held_up(&log).await;
    log.hold_tails(true);
    write_raw(&log, "numbers", &key(7), b"1").await;
    let puts = begun(&map, 0..CROWD).await;
    way.hold_requests(false);
    let released = async { log.hold_tails(false) };
    let (written, ()) = tokio::join!(all(puts), released);
    let replaced = written
        .iter()
        .map(|written| written.as_ref().unwrap().replaced());
    let replaced: Vec<_> = replaced
        .enumerate()
        .filter(|(_, replaced)| *replaced)
        .collect();
    assert_eq!(replaced, [(7, true)]);
    assert_eq!(map.len(), CROWD);
    // All that waited, then those without a conflict, and the one with its new guard.
    assert_eq!(way.calls().commits, AT_ONCE + 3);
}

#[tokio::test]
async fn what_is_refused_for_one_is_written_for_the_others() {
    let (way, map) = held_up(&MemoryLog::new()).await;
    way.refuse_key("07");
    let puts = begun(&map, 0..CROWD).await;
    way.hold_requests(false);
    let mut written = all(puts).await;
    fails_with(written.remove(7), ErrorKind::Denied);
    assert!(written.iter().all(Result::is_ok));
    assert_eq!(map.len(), CROWD - 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_written_is_told_to_all_of_them_and_the_next_ones_go_on() {
    let log = MemoryLog::new();
    let (way, map) = held_up(&log).await;
    let map = map.with_deadline(Duration::from_secs(2));
    let puts = begun(&map, 0..CROWD).await;
    way.lose_replies(true);
    way.hold_requests(false);
    for written in all(puts).await {
        fails_with(written, ErrorKind::Indeterminate);
    }
    way.lose_replies(false);
    let more = begun(&map, CROWD..2 * CROWD).await;
    assert!(all(more).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_what_others_are_not_told() {
    let (way, map) = held_up(&MemoryLog::new()).await;
    let puts = begun(&map, 0..AT_ONCE).await;
    // Those are on their way for ever; who comes later is sent all the same.
    way.lose_replies(true);
    way.hold_requests(false);
    let begin = Instant::now();
    while way.calls().commits < AT_ONCE || begin.elapsed() < Duration::from_millis(1) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    way.lose_replies(false);
    let more = begun(&map, AT_ONCE..CROWD).await;
    assert!(all(more).await.iter().all(Result::is_ok));
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(way.calls().commits, AT_ONCE + 1);
    drop(puts);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_has_waited_in_vain_was_not_sent() {
    let log = MemoryLog::new();
    let (way, map) = held_up(&log).await;
    let patient = map.with_deadline(Duration::from_secs(20));
    // Shorter than anybody waits for the answers of others.
    let map = map.with_deadline(Duration::from_millis(20));
    let puts = begun(&map, 0..CROWD).await;
    let last = begun(&patient, [CROWD]).await;
    for (number, answer) in all(puts).await.into_iter().enumerate() {
        let kind = match number < AT_ONCE {
            true => ErrorKind::Indeterminate,
            false => ErrorKind::Unavailable,
        };
        fails_with(answer, kind);
    }
    way.hold_requests(false);
    assert!(all(last).await.iter().all(Result::is_ok));
    within("all is seen", map.sync()).await.unwrap();
    let there: Vec<String> = map.view().keys().cloned().collect();
    let expected: Vec<String> = (0..AT_ONCE).chain([CROWD]).map(key).collect();
    // Those on their way may land or not; of the others none may.
    assert!(there.iter().all(|key| expected.contains(key)), "{there:?}");
    assert!(there.contains(&key(CROWD)));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_on_its_way_at_its_deadline_may_have_been_written() {
    let (way, map) = held_up(&MemoryLog::new()).await;
    let mut puts = begun(&map, 0..AT_ONCE).await;
    let hasty = map.with_deadline(Duration::from_millis(20));
    let mut late = begun(&hasty, [CROWD]).await;
    // The first one passes, and the one that waits takes its place; there it is held up as the others are.
    let again = way.clone();
    way.after_the_next_commit(move || again.hold_requests(true));
    way.hold_requests(false);
    let first = within("it is answered", puts.remove(0)).await;
    assert!(first.is_ok());
    let late = within("it is answered", late.remove(0)).await;
    fails_with(late, ErrorKind::Indeterminate);
    assert_eq!(way.calls().commits, AT_ONCE + 1);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_takes_nobody_along_and_what_had_waited_is_not_sent() {
    let (way, map) = held_up(&MemoryLog::new()).await;
    let mut puts = begun(&map, 0..CROWD).await;
    let waiting = puts.split_off(AT_ONCE);
    let mut stay = Vec::new();
    for (number, put) in waiting.into_iter().enumerate() {
        match number % 2 {
            0 => stay.push(put),
            _ => drop(put),
        }
    }
    // And now all who were sent: of them nobody else waits for an answer.
    let begin = Instant::now();
    drop(puts);
    way.hold_requests(false);
    assert!(all(stay).await.iter().all(Result::is_ok));
    assert_eq!(begin.elapsed(), Duration::ZERO, "they were sent at once");
    within("all is seen", map.sync()).await.unwrap();
    for number in AT_ONCE..CROWD {
        assert_eq!(map.contains_key(&key(number)), number % 2 == 0, "{number}");
    }
}

#[tokio::test]
async fn writes_of_one_key_are_never_one_transaction() {
    let (way, map) = held_up(&MemoryLog::new()).await;
    let mut puts = begun(&map, 0..AT_ONCE).await;
    for _ in 0..2 {
        puts.extend(begun(&map, [7]).await);
    }
    let kept = way.keep_transactions();
    way.hold_requests(false);
    let written = all(puts).await;
    let at = |place: usize| written[place].as_ref().unwrap().position();
    assert_ne!(at(AT_ONCE), at(AT_ONCE + 1));
    let most = kept
        .lock()
        .unwrap()
        .iter()
        .map(|it| it.writes().len())
        .max();
    assert_eq!(most, Some(1));
}

#[tokio::test]
async fn no_more_is_combined_than_the_log_takes() {
    let mut capabilities = Capabilities::full("memory");
    capabilities.max_operations = 5;
    let log = MemoryLog::builder().capabilities(capabilities).build();
    let (way, map) = held_up(&log).await;
    let puts = begun(&map, 0..CROWD).await;
    way.hold_requests(false);
    assert!(all(puts).await.iter().all(Result::is_ok));
    assert_eq!(way.calls().commits, AT_ONCE + (CROWD - AT_ONCE).div_ceil(5));
}

#[tokio::test]
async fn what_is_decided_on_something_waits_for_nobody() {
    let (way, map) = held_up(&MemoryLog::new()).await;
    let puts = begun(&map, 0..CROWD).await;
    let mut create = map.put_if("new", 1, Expected::Absent).boxed();
    assert!(poll!(&mut create).is_pending());
    assert_eq!(way.calls().commits, AT_ONCE + 1, "it was sent at once");
    way.hold_requests(false);
    within("it is answered", create).await.unwrap();
    assert!(all(puts).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn deletes_and_puts_of_many_tasks_leave_what_one_task_would_have_left() {
    let (way, map) = held_up(&MemoryLog::new()).await;
    for round in 0..10 {
        way.hold_requests(true);
        let write = |number| match (number + round) % 3 {
            0 => map.delete(key(number)).boxed(),
            _ => map.put(key(number), (100 * round + number) as u64).boxed(),
        };
        let mut writes: Vec<_> = (0..50).map(write).collect();
        for write in &mut writes {
            assert!(poll!(write).is_pending());
        }
        way.hold_requests(false);
        assert!(all(writes).await.iter().all(Result::is_ok));
        for number in 0..50 {
            let is_deleted = (number + round) % 3 == 0;
            let expected = (!is_deleted).then_some((100 * round + number) as u64);
            assert_eq!(map.get(&key(number)).as_deref().copied(), expected);
        }
    }
    assert_eq!(way.calls().commits, 10 * (AT_ONCE + 1));
}
