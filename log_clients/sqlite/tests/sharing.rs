//! Several clients of one file: who sees what, and who waits for whom.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;
use std::time::Duration;

use globe_log_client::{
    Change, ErrorKind, Keyspace, LogClient, Position, Precondition, Revision, Transaction,
};
use globe_sqlite::SqliteLog;
use rusqlite::Connection;
use tokio::time::{Instant, timeout};

const BOUND: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// How often a log is opened and closed.
const CLOSINGS: usize = 200;

fn keyspace() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

async fn open(file: &Path) -> SqliteLog {
    SqliteLog::open(file).await.unwrap()
}

fn put(key: &str, value: &str) -> Transaction {
    Transaction::new().put(&keyspace(), key.to_owned(), value.to_owned())
}

#[tokio::test]
async fn many_who_open_a_new_file_at_once_open_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let opening = (0..8).map(|_| tokio::spawn(SqliteLog::builder(&file).open()));
    let mut heads = Vec::new();
    for opened in opening.collect::<Vec<_>>() {
        let log = opened.await.unwrap().unwrap();
        heads.push(log.head(&keyspace()).await.unwrap());
    }
    assert!(heads.iter().all(|head| *head == heads[0]), "{heads:?}");
}

/// SQLite takes into the file what lies beside it when the last one closes it; of two who do at once, neither is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_closed_a_log_leaves_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let beside = folder.path().join("log.db-wal");
    for number in 0..CLOSINGS {
        let log = open(&file).await;
        if number % 2 == 0 {
            log.commit(put("key", "value")).await.unwrap();
        }
        log.head(&keyspace()).await.unwrap();
        drop(log);
        let closed = async {
            while beside.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(BOUND, closed).await.unwrap();
    }
}

/// Each adds one to a number as often as it takes: nobody's addition is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_several_clients_overwrite_nobody() {
    const EACH: u64 = 50;
    const CLIENTS: u64 = 4;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let add = |log: SqliteLog| async move {
        for _ in 0..EACH {
            loop {
                let at = log.head(&keyspace()).await.unwrap();
                let record = log.record_at(&keyspace(), b"sum", at).await.unwrap();
                let (sum, guard) = match &record {
                    None => (0, Precondition::Absent),
                    Some(record) => {
                        let text = std::str::from_utf8(&record.value).unwrap();
                        (
                            text.parse::<u64>().unwrap(),
                            Precondition::At(record.modified),
                        )
                    }
                };
                let add = put("sum", &(sum + 1).to_string()).when(&keyspace(), "sum", guard);
                match log.commit(add).await {
                    Ok(_) => break,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
        }
    };
    let mut all = Vec::new();
    for _ in 0..CLIENTS {
        all.push(tokio::spawn(add(open(&file).await)));
    }
    for one in all {
        timeout(BOUND, one).await.unwrap().unwrap();
    }
    let log = open(&file).await;
    let records = log.snapshot(&keyspace()).await.unwrap().collect().await;
    let sum = &records.unwrap()[0].value;
    assert_eq!(*sum, (EACH * CLIENTS).to_string());
}

/// As a process leaves it that was stopped in the middle of a commit.
#[tokio::test]
async fn while_another_holds_the_lock_reads_go_on_and_writes_end_in_time_and_are_not_written_later()
{
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let log = open(&file).await;
    let at = log.commit(put("a", "1")).await.unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let refused = log
        .commit(put("b", "2").taking_at_most(SECOND / 5))
        .await
        .unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(began.elapsed() < SECOND * 5);
    assert!(log.last_failure().is_some());
    assert_eq!(log.head(&keyspace()).await.unwrap(), at);
    // One that is dropped while it waits is not written either.
    let dropped = timeout(SECOND / 20, log.commit(put("c", "3"))).await;
    assert!(dropped.is_err());
    other.execute_batch("ROLLBACK").unwrap();
    let after = log.commit(put("d", "4")).await.unwrap();
    assert_eq!(
        after.revision,
        at.revision.next(),
        "nothing was written in between"
    );
}

#[tokio::test]
async fn a_lease_is_ended_by_whoever_is_there_and_never_before_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let owner = open(&file).await;
    let began = Instant::now();
    let lease = owner.grant(SECOND).await.unwrap();
    let leased = Transaction::new().put_leased(&keyspace(), "mine", "1", lease.id);
    let at = owner.commit(leased).await.unwrap();
    let other = open(&file).await;
    let mut tail = other.tail(&keyspace(), at).await.unwrap();
    // Its process is gone; nobody told the log.
    drop(owner);
    let batch = timeout(BOUND, tail.next()).await.unwrap().unwrap();
    assert_eq!(batch.changes, [Change::delete("mine")]);
    assert!(began.elapsed() >= SECOND, "{:?}", began.elapsed());
}

#[tokio::test]
async fn history_is_kept_as_far_as_it_is_asked_for_and_then_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let log = SqliteLog::builder(&file).history(40).open().await.unwrap();
    let mut at = log.head(&keyspace()).await.unwrap();
    let first = at;
    for number in 0..200_u32 {
        at = log.commit(put("key", &number.to_string())).await.unwrap();
    }
    let error = log.tail(&keyspace(), first).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Compacted, "{error}");
    let kept = Position::new(at.epoch, Revision(at.revision.0 - 40));
    let record = log.record_at(&keyspace(), b"key", kept).await.unwrap();
    assert_eq!(record.unwrap().value, "159");
    let mut tail = log.tail(&keyspace(), kept).await.unwrap();
    assert_eq!(
        timeout(BOUND, tail.next()).await.unwrap().unwrap().revision,
        kept.revision.next()
    );
    let rows = "SELECT count(*) FROM history";
    let rows: i64 = Connection::open(&file)
        .unwrap()
        .query_row(rows, [], |row| row.get(0))
        .unwrap();
    assert!((40..=50).contains(&rows), "{rows} changes are kept");
}

#[tokio::test]
async fn history_that_is_too_old_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let log = open(&file).await;
    let first = log.commit(put("key", "1")).await.unwrap();
    log.commit(put("key", "2")).await.unwrap();
    drop(log);
    tokio::time::sleep(SECOND / 20).await;
    let builder = SqliteLog::builder(&file).history_age(SECOND / 100);
    let log = builder.open().await.unwrap();
    log.commit(put("key", "3")).await.unwrap();
    let error = log.tail(&keyspace(), first).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Compacted, "{error}");
}

#[tokio::test]
async fn a_snapshot_shows_each_key_once_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let builder = SqliteLog::builder(folder.path().join("log.db")).page_size(2);
    let log = builder.open().await.unwrap();
    // Some are written again, and some of those are gone.
    for (writes, key) in [(3, "a"), (1, "b"), (4, "c"), (2, "d"), (1, "e"), (2, "f")] {
        for number in 0..writes {
            log.commit(put(key, &number.to_string())).await.unwrap();
        }
    }
    for gone in ["c", "f"] {
        let delete = Transaction::new().delete(&keyspace(), gone);
        log.commit(delete).await.unwrap();
    }
    let snapshot = log.snapshot(&keyspace()).await.unwrap();
    let records = snapshot.collect().await.unwrap();
    let shown: Vec<_> = records.iter().map(|it| (&*it.key, &*it.value)).collect();
    let stands: [(&[u8], &[u8]); 4] = [(b"a", b"2"), (b"b", b"0"), (b"d", b"1"), (b"e", b"0")];
    assert_eq!(shown, stands);
}

/// So that neither a snapshot nor a tail is had at once, however large the values are.
#[tokio::test]
async fn what_is_read_at_a_time_is_bounded_by_its_bytes() {
    const LARGE: usize = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log.db")).await;
    let before = log.head(&keyspace()).await.unwrap();
    let value = "v".repeat(LARGE);
    for number in 0..12_u32 {
        log.commit(put(&number.to_string(), &value)).await.unwrap();
    }
    let mut snapshot = log.snapshot(&keyspace()).await.unwrap();
    let mut pages = Vec::new();
    while let Some(page) = snapshot.next_page().await.unwrap() {
        pages.push(page.len());
    }
    assert_eq!(pages.iter().sum::<usize>(), 12);
    assert!(pages.len() > 1, "{pages:?}");
    let mut tail = log.tail(&keyspace(), before).await.unwrap();
    for number in 1..=12 {
        let batch = timeout(BOUND, tail.next()).await.unwrap().unwrap();
        assert_eq!(batch.revision.0, before.revision.0 + number);
        assert_eq!(batch.changes.len(), 1);
    }
}

#[tokio::test]
async fn a_commit_that_is_larger_than_a_look_is_delivered_whole() {
    const EACH: u32 = 100;
    const COMMITS: u32 = 25;
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log.db")).await;
    let lease = log.grant(BOUND).await.unwrap();
    for commit in 0..COMMITS {
        let mut several = Transaction::new();
        for number in 0..EACH {
            let key = format!("{commit}/{number}");
            several = several.put_leased(&keyspace(), key, "value", lease.id);
        }
        log.commit(several).await.unwrap();
    }
    let before = log.head(&keyspace()).await.unwrap();
    log.revoke(lease.id).await.unwrap();
    let last = log.commit(put("last", "1")).await.unwrap();
    let mut tail = log.tail(&keyspace(), before).await.unwrap();
    let batch = timeout(BOUND, tail.next()).await.unwrap().unwrap();
    assert_eq!(batch.changes.len(), (EACH * COMMITS) as usize);
    let batch = timeout(BOUND, tail.next()).await.unwrap().unwrap();
    assert_eq!((batch.revision, batch.changes.len()), (last.revision, 1));
}
