//! Each fault does what its name says, none other, and the same every time.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::time::Duration;

use globe_faulty::{Fault, Faults, FaultyLog};
use globe_log_client::{
    Batch, Change, ErrorKind, Keyspace, KnownKeys, LogClient, Position, Precondition, Revision,
    Transaction,
};
use globe_memory::MemoryLog;
use tokio::time::{Instant, timeout};

fn flags() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

fn put(key: &'static str) -> Transaction {
    Transaction::new().put(&flags(), key, "value")
}

/// A log on which one fault always happens.
fn always(fault: Fault) -> (MemoryLog, FaultyLog) {
    let memory = MemoryLog::new();
    let log = FaultyLog::builder(memory.clone())
        .operator(memory.clone())
        .faults(Faults::none().with(fault, 1.0))
        .seed(3)
        .build();
    (memory, log)
}

async fn kind_of(commit: impl Future<Output = globe_log_client::Result<Position>>) -> ErrorKind {
    commit.await.unwrap_err().kind().clone()
}

async fn is_unknown(commit: impl Future<Output = globe_log_client::Result<Position>>) {
    assert_eq!(kind_of(commit).await, ErrorKind::Indeterminate);
}

/// Before everything that was written.
fn beginning(log: &MemoryLog) -> Position {
    Position::new(log.head_position().epoch, Revision(1))
}

/// One commit for each key.
async fn write(log: &impl LogClient, keys: &[&'static str]) {
    for key in keys {
        log.commit(put(key)).await.unwrap();
    }
}

/// One commit of two keys.
async fn write_two(log: &MemoryLog) {
    let two = put("a").put(&flags(), "b", "value");
    log.commit(two).await.unwrap();
}

async fn count(log: &MemoryLog) -> usize {
    let snapshot = log.snapshot(&flags()).await.unwrap();
    snapshot.collect().await.unwrap().len()
}

/// The batches a tail from the beginning delivers within a long time.
async fn delivered(memory: &MemoryLog, log: &FaultyLog) -> Vec<Batch> {
    let mut tail = log.tail(&flags(), beginning(memory)).await.unwrap();
    let mut batches = Vec::new();
    while let Ok(Ok(batch)) = timeout(Duration::from_secs(60), tail.next()).await {
        batches.push(batch);
    }
    batches
}

fn revisions(batches: &[Batch]) -> Vec<u64> {
    batches.iter().map(|batch| batch.revision.0).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_hides_a_commit_and_a_lost_request_prevents_one() {
    let (memory, log) = always(Fault::LoseReply);
    is_unknown(log.commit(put("a"))).await;
    assert_eq!(count(&memory).await, 1);

    let (memory, log) = always(Fault::LoseRequest);
    is_unknown(log.commit(put("a"))).await;
    assert_eq!(kind_of(log.head(&flags())).await, ErrorKind::Unavailable);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(count(&memory).await, 0);

    let (memory, log) = always(Fault::Refuse);
    assert_eq!(kind_of(log.commit(put("a"))).await, ErrorKind::Unavailable);
    assert_eq!(count(&memory).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_commit_lands_only_if_its_preconditions_hold_then() {
    let (memory, log) = always(Fault::LandLate);
    assert!(!log.capabilities().fenced);
    let create = |key| put(key).when(&flags(), key, Precondition::Absent);
    is_unknown(log.commit(create("a"))).await;
    is_unknown(log.commit(create("b"))).await;
    let before = memory.head_position();
    memory.commit(create("b")).await.ok();
    let own = memory.head_position();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(count(&memory).await, 2);
    let landed = memory.head_position().revision.0 - own.revision.0;
    assert!(
        landed <= 1 + u64::from(before == own),
        "b is never written twice"
    );
    log.heal();
    assert!(
        !log.capabilities().fenced,
        "what may still land is not fenced"
    );
}

/// A log on which one fault always happens, and for a minute where it takes time.
fn long(fault: Fault, seed: u64) -> (MemoryLog, FaultyLog) {
    let memory = MemoryLog::new();
    let minute = Duration::from_secs(60);
    let faults = Faults::none().delay(minute).silence(minute);
    let log = FaultyLog::builder(memory.clone())
        .faults(faults.lateness(minute).with(fault, 1.0))
        .seed(seed)
        .build();
    (memory, log)
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_answered_within_its_timeout_whatever_happens_to_it() {
    let second = Duration::from_secs(1);
    let mut cut_short = 0;
    for fault in [
        Fault::Delay,
        Fault::Refuse,
        Fault::LoseRequest,
        Fault::LoseReply,
        Fault::LandLate,
        Fault::HoldRequest,
    ] {
        for seed in 0..20 {
            let (memory, log) = long(fault, seed);
            let asked = Instant::now();
            let outcome = log.commit(put("a").taking_at_most(second)).await;
            // Tokio's timer wakes up to a millisecond late.
            let took = asked.elapsed();
            assert!(
                took <= second + Duration::from_millis(1),
                "{fault}: {took:?}"
            );
            cut_short += u32::from(took >= second);
            let stood = count(&memory).await;
            tokio::time::sleep(Duration::from_secs(120)).await;
            let stands = count(&memory).await;
            match outcome.map_err(|error| error.kind().clone()) {
                Ok(_) => assert_eq!((stood, stands), (1, 1), "{fault}"),
                Err(ErrorKind::Unavailable) => assert_eq!((stood, stands), (0, 0), "{fault}"),
                Err(kind) => assert_eq!(kind, ErrorKind::Indeterminate, "{fault}"),
            }
        }
    }
    assert!(cut_short > 50, "{cut_short} were cut short");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_was_held_lands_unless_a_later_one_was_acknowledged() {
    let mut landed = [0, 0];
    for seed in 0..20 {
        for is_followed in [false, true] {
            let (memory, log) = long(Fault::HoldRequest, seed);
            assert!(log.capabilities().fenced);
            let given_up = timeout(Duration::from_millis(10), log.commit(put("held"))).await;
            let hasty = put("also held").taking_at_most(Duration::from_millis(10));
            is_unknown(log.commit(hasty)).await;
            log.heal();
            let before = count(&memory).await;
            if is_followed {
                log.commit(put("later")).await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(120)).await;
            let after = count(&memory).await - before;
            if is_followed {
                assert_eq!(after, 1, "seed {seed}: {given_up:?} landed late");
            }
            landed[usize::from(is_followed)] += after;
        }
    }
    assert!(landed[0] > 20, "what is held does come late: {landed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_page_comes_late_and_the_snapshot_breaks_or_it_never_comes() {
    for (fault, breaks) in [(Fault::SilenceSnapshot, true), (Fault::MuteSnapshot, false)] {
        let (memory, log) = always(fault);
        memory.commit(put("a")).await.unwrap();
        let mut snapshot = log.snapshot(&flags()).await.unwrap();
        let asked = Instant::now();
        match timeout(Duration::from_secs(60), snapshot.next_page()).await {
            Ok(page) => {
                assert_eq!(*page.unwrap_err().kind(), ErrorKind::Unavailable);
                assert!(asked.elapsed() <= Duration::from_secs(3), "{fault}");
                assert_eq!(snapshot.next_page().await.unwrap(), None);
            }
            Err(_) => assert!(!breaks, "{fault} must break"),
        }
        assert_eq!(fault.breaks_the_contract(), !breaks);
    }
}

#[tokio::test]
async fn why_a_call_failed_is_known_until_one_is_answered() {
    let (memory, log) = always(Fault::Refuse);
    assert!(log.last_failure().is_none());
    let error = log.head(&flags()).await.unwrap_err();
    assert_eq!(log.last_failure().unwrap().to_string(), error.to_string());
    log.heal();
    assert!(log.last_failure().is_some(), "nobody has asked since");
    log.head(&flags()).await.unwrap();
    assert!(log.last_failure().is_none());
    // Of the log inside as well.
    memory.set_available(false);
    memory.head(&flags()).await.unwrap_err();
    assert!(log.last_failure().is_some());
}

#[tokio::test]
async fn a_status_is_that_of_the_log_inside_with_the_failures_of_the_way_there() {
    let (memory, log) = always(Fault::Refuse);
    let error = log.head(&flags()).await.unwrap_err();
    let status = log.status();
    assert_eq!(status.last_failure, Some(error.to_string()));
    assert_eq!(status.details["faults"], "1");
    let inside = memory.status();
    assert_eq!(inside.last_failure, None);
    assert_eq!(status.details["head"], inside.details["head"]);
}

#[tokio::test(start_paused = true)]
async fn tails_break_at_once_or_after_a_silence_or_never() {
    for (fault, breaks) in [
        (Fault::CutTail, true),
        (Fault::SilenceTail, true),
        (Fault::MuteTail, false),
    ] {
        let (memory, log) = always(fault);
        memory.commit(put("a")).await.unwrap();
        let mut tail = log.tail(&flags(), beginning(&memory)).await.unwrap();
        let asked = Instant::now();
        let next = timeout(Duration::from_secs(60), tail.next()).await;
        match next {
            Ok(next) => assert_eq!(*next.unwrap_err().kind(), ErrorKind::Unavailable),
            Err(_) => assert!(!breaks, "{fault} must break"),
        }
        assert!(asked.elapsed() <= Duration::from_secs(3) || !breaks);
    }
}

/// Time is paused, so nothing passes but what somebody waits for.
#[tokio::test(start_paused = true)]
async fn a_slow_tail_is_as_fast_as_any_when_its_log_is_healed() {
    let (memory, log) = always(Fault::LagTail);
    write(&memory, &["a", "b", "c"]).await;
    let mut tail = log.tail(&flags(), beginning(&memory)).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..3 {
        let asked = Instant::now();
        tail.next().await.unwrap();
        took.push(asked.elapsed());
        log.heal();
    }
    assert!(took[0] > Duration::ZERO, "{took:?}");
    assert_eq!(took[1..], [Duration::ZERO; 2]);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_contract_does_so_only_in_its_own_way() {
    for (fault, expected) in [
        (Fault::Delay, vec![2, 3, 4]),
        (Fault::Progress, vec![2, 3, 4, 5, 6]),
        (Fault::SkipBatch, vec![]),
        (Fault::RepeatBatch, vec![2, 2, 3, 3, 4, 4]),
        (Fault::SwapBatches, vec![3, 2]),
    ] {
        let (memory, log) = always(fault);
        write(&memory, &["a", "b", "c"]).await;
        if fault == Fault::Progress {
            let elsewhere = Keyspace::new("elsewhere").unwrap();
            let transaction = Transaction::new().put(&elsewhere, "x", "value");
            memory.commit(transaction).await.unwrap();
            memory.commit(put("d")).await.unwrap();
        }
        assert_eq!(
            revisions(&delivered(&memory, &log).await),
            expected,
            "{fault}"
        );
    }
    let (memory, log) = always(Fault::HalveBatch);
    write_two(&memory).await;
    assert_eq!(delivered(&memory, &log).await[0].changes.len(), 1);

    let (memory, log) = always(Fault::HoleInSnapshot);
    write_two(&memory).await;
    let snapshot = log.snapshot(&flags()).await.unwrap();
    assert_eq!(snapshot.collect().await.unwrap().len(), 1);

    let (memory, log) = always(Fault::OldSnapshot);
    log.snapshot(&flags()).await.unwrap();
    memory.commit(put("a")).await.unwrap();
    let snapshot = log.snapshot(&flags()).await.unwrap();
    assert_eq!(snapshot.position().revision, Revision(1));
}

#[tokio::test(start_paused = true)]
async fn an_operator_compacts_and_restores() {
    let (memory, log) = always(Fault::Compact);
    write(&log, &["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let opened = log.tail(&flags(), beginning(&memory)).await;
    assert_eq!(*opened.unwrap_err().kind(), ErrorKind::Compacted);

    let memory = MemoryLog::new();
    let faults = Faults::none()
        .with(Fault::Backup, 1.0)
        .with(Fault::Restore, 1.0);
    let log = FaultyLog::builder(memory.clone())
        .operator(memory.clone())
        .faults(faults)
        .build();
    let first = memory.head_position().epoch;
    log.commit(put("a")).await.unwrap();
    assert_ne!(memory.head_position().epoch, first);
}

/// Everything a client sees of a log in a long run, and when.
async fn story(seed: u64) -> Vec<String> {
    let memory = MemoryLog::new();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (start, listener) = (Instant::now(), told.clone());
    let log = FaultyLog::builder(memory.clone())
        .operator(memory)
        .seed(seed)
        .on_fault(move |fault| {
            let line = format!("{:?} {fault}", start.elapsed());
            listener.lock().unwrap().push(line);
        })
        .build();
    let reader = tokio::spawn({
        let (log, told) = (log.clone(), told.clone());
        async move {
            loop {
                let Ok(snapshot) = log.snapshot(&flags()).await else {
                    continue;
                };
                let Ok(mut tail) = log.tail(&flags(), snapshot.position()).await else {
                    continue;
                };
                while let Ok(batch) = tail.next().await {
                    let line = format!("{:?} {:?}", start.elapsed(), batch.revision);
                    told.lock().unwrap().push(line);
                }
            }
        }
    });
    for _ in 0..200 {
        let outcome = log.commit(put("a")).await.map(|position| position.revision);
        let line = format!("{:?} {outcome:?}", start.elapsed());
        told.lock().unwrap().push(line);
    }
    reader.abort();
    let told = told.lock().unwrap();
    told.clone()
}

#[tokio::test(start_paused = true)]
async fn a_seed_tells_the_same_story_every_time_and_another_seed_another() {
    let first = story(42).await;
    assert!(first.len() > 400, "something happened: {}", first.len());
    assert_eq!(first, story(42).await);
    assert_ne!(first, story(43).await);
}

/// The pages of a difference to nothing known, as far as they come within a long time, and what ended them.
async fn told(log: &FaultyLog, memory: &MemoryLog) -> (Vec<Vec<Change>>, Option<ErrorKind>) {
    let known = KnownKeys::default();
    let difference = log.difference(&flags(), beginning(memory), known).await;
    let (mut difference, mut pages) = (difference.unwrap(), Vec::new());
    let end = timeout(Duration::from_secs(60), async {
        loop {
            match difference.next_page().await {
                Ok(Some(page)) => pages.push(page),
                Ok(None) => break None,
                Err(error) => break Some(error.kind().clone()),
            }
        }
    });
    let end = end.await.unwrap_or(Some(ErrorKind::Busy));
    pages.retain(|page| !page.is_empty());
    (pages, end)
}

#[tokio::test(start_paused = true)]
async fn what_can_happen_to_a_snapshot_can_happen_to_a_difference() {
    let silent = Some(ErrorKind::Unavailable);
    let table = [
        (Fault::SplitPage, 3, None),
        (Fault::HoleInSnapshot, 2, None),
        (Fault::CutSnapshot, 0, silent.clone()),
        (Fault::SilenceSnapshot, 0, silent),
        (Fault::MuteSnapshot, 0, Some(ErrorKind::Busy)),
        (Fault::OldSnapshot, 3, None),
    ];
    for (fault, changes, end) in table {
        let (memory, log) = always(fault);
        write(&memory, &["a", "b", "c"]).await;
        let (pages, ended) = told(&log, &memory).await;
        assert_eq!(pages.concat().len(), changes, "{fault}");
        assert_eq!(ended, end, "{fault}");
        let is_split = pages.len() > 1;
        assert_eq!(is_split, fault == Fault::SplitPage, "{fault}");
    }
    let (memory, log) = always(Fault::Refuse);
    let (keyspace, since) = (flags(), beginning(&memory));
    let refused = log.difference(&keyspace, since, KnownKeys::default()).await;
    assert_eq!(refused.unwrap_err().kind(), &ErrorKind::Unavailable);
    assert_eq!(*log.last_failure().unwrap().kind(), ErrorKind::Unavailable);
}
