//! Which files are a log, which are another, and which are damaged.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use globe_log_client::{
    Change, Epoch, Error, ErrorKind, Keyspace, LogClient, Position, Record, Result, Revision,
    Transaction,
};
use globe_sqlite::SqliteLog;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::timeout;

const BOUND: Duration = Duration::from_secs(30);

/// How many bits are flipped, one at a time.
const FLIPS: usize = 400;

fn keyspace() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    (folder, file)
}

async fn open(file: &Path) -> SqliteLog {
    SqliteLog::open(file).await.unwrap()
}

async fn put(log: &SqliteLog, key: &str, value: &str) -> Position {
    let put = Transaction::new().put(&keyspace(), key.to_owned(), value.to_owned());
    log.commit(put).await.unwrap()
}

async fn epoch(log: &SqliteLog) -> Epoch {
    log.head(&keyspace()).await.unwrap().epoch
}

async fn records(log: &SqliteLog) -> Result<Vec<Record>> {
    log.snapshot(&keyspace()).await?.collect().await
}

/// Waits until nobody has the file open any more: SQLite then has written all of it into the one file.
async fn closed(log: SqliteLog, file: &Path) {
    drop(log);
    let beside = beside(file, "-wal");
    let closed = async {
        while beside.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(BOUND, closed).await.unwrap();
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// A file with ten records and a deletion, that nobody has open.
async fn written(file: &Path) -> Position {
    let log = open(file).await;
    for number in 0..10 {
        put(&log, &format!("key-{number}"), &"value".repeat(number + 1)).await;
    }
    let delete = Transaction::new().delete(&keyspace(), "key-3");
    let at = log.commit(delete).await.unwrap();
    closed(log, file).await;
    at
}

async fn refusal(file: &Path) -> Error {
    SqliteLog::open(file).await.unwrap_err()
}

#[tokio::test]
async fn what_was_written_is_there_when_it_is_opened_again() {
    let (_folder, file) = folder();
    let at = written(&file).await;
    let log = open(&file).await;
    assert_eq!(log.head(&keyspace()).await.unwrap(), at);
    assert_eq!(records(&log).await.unwrap().len(), 9);
    let mut tail = log
        .tail(&keyspace(), Position::new(at.epoch, Revision(10)))
        .await
        .unwrap();
    let batch = timeout(BOUND, tail.next()).await.unwrap().unwrap();
    assert_eq!(batch.revision, Revision(11));
    let batch = timeout(BOUND, tail.next()).await.unwrap().unwrap();
    assert_eq!(batch.changes, [Change::delete("key-3")]);
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let (_folder, file) = folder();
    let text = "a text, and no database ".repeat(100);
    fs::write(&file, &text).unwrap();
    let error = refusal(&file).await;
    assert_eq!(*error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    fs::remove_file(&file).unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE things (name)").unwrap();
    drop(other);
    let before = fs::read(&file).unwrap();
    let error = refusal(&file).await;
    assert_eq!(*error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.context().contains("something else"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_by_name() {
    let (_folder, file) = folder();
    written(&file).await;
    let newer = Connection::open(&file).unwrap();
    newer.pragma_update(None, "user_version", 2).unwrap();
    drop(newer);
    let error = refusal(&file).await;
    assert_eq!(*error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.context().contains("version 2"), "{error}");
}

#[tokio::test]
async fn where_no_file_can_be_made_it_is_denied() {
    let (folder, _) = folder();
    for file in [folder.path().join("nowhere/log.db"), folder.path().into()] {
        let error = refusal(&file).await;
        assert_eq!(*error.kind(), ErrorKind::Denied, "{error}");
        assert!(!folder.path().join("nowhere").exists());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_it_makes_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, file) = folder();
    let log = open(&file).await;
    put(&log, "key", "value").await;
    for end in ["", "-wal", "-shm", "-mark"] {
        let mode = fs::metadata(beside(&file, end)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{end}");
    }
}

#[tokio::test]
async fn who_may_only_read_follows_and_writes_nothing() {
    let (_folder, file) = folder();
    let reading = |file: &Path| SqliteLog::builder(file).read_only(true).open();
    let error = reading(&file).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!file.exists(), "it was made");
    let log = open(&file).await;
    put(&log, "a", "1").await;
    let reader = reading(&file).await.unwrap();
    let snapshot = reader.snapshot(&keyspace()).await.unwrap();
    let mut tail = reader.tail(&keyspace(), snapshot.position()).await.unwrap();
    assert_eq!(snapshot.collect().await.unwrap().len(), 1);
    let at = put(&log, "b", "2").await;
    let batch = timeout(BOUND, tail.next()).await.unwrap().unwrap();
    assert_eq!(batch.revision, at.revision);
    let refused = [
        reader
            .commit(Transaction::new().put(&keyspace(), "c", "3"))
            .await
            .map(drop),
        reader.grant(BOUND).await.map(drop),
        reader.compact(at.revision).await,
    ];
    for refused in refused {
        assert_eq!(*refused.unwrap_err().kind(), ErrorKind::Denied);
    }
    assert_eq!(log.head(&keyspace()).await.unwrap(), at);
}

#[tokio::test]
async fn a_file_that_nobody_has_open_can_be_read_where_nothing_can_be_written() {
    let (_folder, file) = folder();
    let at = written(&file).await;
    let reader = SqliteLog::builder(&file).read_only(true).open();
    let reader = reader.await.unwrap();
    assert_eq!(reader.head(&keyspace()).await.unwrap(), at);
    assert_eq!(records(&reader).await.unwrap().len(), 9);
}

/// As anybody but root, who may write everywhere: the threads of a log are born with the rights of the one that opens it.
#[cfg(target_os = "linux")]
fn as_an_ordinary_user<T: Send>(run: impl Future<Output = T> + Send) -> T {
    let run = || {
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::process::Uid::from_raw(65_534);
            rustix::thread::set_thread_uid(nobody).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        runtime.block_on(run)
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_nothing_can_be_written_it_is_read_also_once_somebody_writes_it() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, file) = folder();
    let at = written(&file).await;
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&file, 0o444);
    set(&beside(&file, "-mark"), 0o444);
    set(folder.path(), 0o555);
    let reader = as_an_ordinary_user(async {
        let error = refusal(&file).await;
        assert_eq!(*error.kind(), ErrorKind::Denied, "{error}");
        let reader = SqliteLog::builder(&file).read_only(true).open();
        let reader = reader.await.unwrap();
        assert_eq!(reader.head(&keyspace()).await.unwrap(), at);
        assert_eq!(records(&reader).await.unwrap().len(), 9);
        reader
    });
    let there = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(there, 2, "something was made there");

    set(folder.path(), 0o755);
    set(&file, 0o644);
    let log = open(&file).await;
    let later = put(&log, "later", "value").await;
    let mut seen = reader.tail(&keyspace(), at).await.unwrap();
    let batch = timeout(BOUND, seen.next()).await.unwrap().unwrap();
    assert_eq!(batch.revision, later.revision);
    let next = put(&log, "next", "value").await;
    let batch = timeout(BOUND, seen.next()).await.unwrap().unwrap();
    assert_eq!(batch.revision, next.revision);
}

#[tokio::test]
async fn a_file_that_is_moved_goes_on_and_one_that_is_copied_is_another_log() {
    let (folder, file) = folder();
    let at = written(&file).await;
    let copy = folder.path().join("copy.db");
    fs::copy(&file, &copy).unwrap();
    let moved = folder.path().join("moved.db");
    fs::rename(&file, &moved).unwrap();
    let moved = open(&moved).await;
    assert_eq!(moved.head(&keyspace()).await.unwrap(), at);
    let copied = open(&copy).await;
    let head = copied.head(&keyspace()).await.unwrap();
    assert_eq!(head.revision, at.revision);
    assert_ne!(head.epoch, at.epoch);
    // Each is the same to all who open it.
    assert_eq!(epoch(&open(&copy).await).await, head.epoch);
    let old = copied.tail(&keyspace(), at).await.unwrap_err();
    assert_eq!(*old.kind(), ErrorKind::EpochChanged);
}

/// With the same inode, and without anybody who could have noticed.
#[tokio::test]
async fn an_older_state_that_is_written_over_a_file_is_another_life() {
    let (folder, file) = folder();
    let at = written(&file).await;
    let backup = folder.path().join("backup.db");
    fs::copy(&file, &backup).unwrap();
    let mut lives = vec![at.epoch];
    // Also when the log has been in other lives since: then nothing beside it is of the one that comes back.
    for _ in 0..3 {
        let log = open(&file).await;
        let later = put(&log, "later", "value").await;
        assert_eq!(Some(&later.epoch), lives.last());
        closed(log, &file).await;
        fs::copy(&backup, &file).unwrap();
        let log = open(&file).await;
        let head = log.head(&keyspace()).await.unwrap();
        assert_eq!(head.revision, at.revision);
        assert!(!lives.contains(&head.epoch), "a revision would come twice");
        lives.push(head.epoch);
        closed(log, &file).await;
    }
}

/// As a disk leaves it that lied about what it had.
#[tokio::test]
async fn a_file_that_has_lost_commits_is_in_another_life() {
    let (folder, file) = folder();
    let log = open(&file).await;
    let first = put(&log, "a", "1").await;
    let lost = [("", "then.db"), ("-wal", "then.wal")];
    for (end, to) in lost {
        // By another process: to open and close the file here would drop the locks of the log.
        let mut copy = Command::new("cp");
        copy.arg(beside(&file, end)).arg(folder.path().join(to));
        assert!(copy.status().unwrap().success());
    }
    let second = put(&log, "b", "2").await;
    closed(log, &file).await;
    for (end, from) in lost {
        fs::copy(folder.path().join(from), beside(&file, end)).unwrap();
    }
    let log = open(&file).await;
    let head = log.head(&keyspace()).await.unwrap();
    assert_eq!(head.revision, first.revision);
    assert_ne!(head.epoch, second.epoch);
}

#[tokio::test]
async fn it_can_be_read_with_the_tools_of_sqlite() {
    let (_folder, file) = folder();
    let log = open(&file).await;
    let lease = log.grant(BOUND).await.unwrap();
    put(&log, "plain", "\"on\"").await;
    put(&log, "plain", "\"off\"").await;
    let leased = Transaction::new().put_leased(&keyspace(), "leased", "1", lease.id);
    log.commit(leased).await.unwrap();
    log.commit(Transaction::new().delete(&keyspace(), "plain"))
        .await
        .unwrap();
    let tool = Connection::open(&file).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = tool.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(std::result::Result::unwrap).collect()
    };
    assert_eq!(
        texts("SELECT keyspace || '/' || key || ' = ' || value || ' under ' || lease FROM records"),
        [format!("flags/leased = 1 under {}", lease.id)]
    );
    assert_eq!(
        texts("SELECT revision || ' ' || key || ' ' || coalesce(value, 'gone') FROM history"),
        [
            "2 plain \"on\"",
            "3 plain \"off\"",
            "4 leased 1",
            "5 plain gone"
        ]
    );
    let lease = lease.id.to_string();
    assert_eq!(texts("SELECT lease FROM live_leases"), [lease]);
}

/// All that can be read of a file of these bytes, or why not.
async fn read_all(bytes: &[u8]) -> Result<(Revision, Vec<Record>, Vec<Change>)> {
    let (_folder, file) = folder();
    fs::write(&file, bytes).unwrap();
    let log = SqliteLog::open(&file).await?;
    let head = log.head(&keyspace()).await?;
    let found = records(&log).await?;
    let begin = Position::new(head.epoch, Revision(1));
    let mut tail = log.tail(&keyspace(), begin).await?;
    let (mut history, mut at) = (Vec::new(), begin.revision);
    while at < head.revision {
        let batch = timeout(BOUND, tail.next()).await.unwrap()?;
        at = batch.revision;
        history.extend(batch.changes);
    }
    Ok((head.revision, found, history))
}

fn is_of_damage(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Unsupported
    )
}

#[tokio::test]
async fn a_flipped_bit_is_found_or_changes_nothing() {
    let (_folder, file) = folder();
    written(&file).await;
    let good = fs::read(&file).unwrap();
    let whole = read_all(&good).await.unwrap();
    let (mut found, mut harmless) = (0, 0);
    for _ in 0..FLIPS {
        let (at, bit) = (fastrand::usize(..good.len()), fastrand::u32(..8));
        let mut bad = good.clone();
        bad[at] ^= 1 << bit;
        match read_all(&bad).await {
            Err(error) => {
                assert!(is_of_damage(&error), "byte {at}, bit {bit}: {error}");
                found += 1;
            }
            Ok(read) => {
                assert_eq!(read, whole, "byte {at}, bit {bit}");
                harmless += 1;
            }
        }
    }
    assert!(
        found > 0 && harmless > 0,
        "{found} found, {harmless} harmless"
    );
}

/// Found by a flipped bit: the table is one, with another meaning.
#[tokio::test]
async fn a_table_whose_words_are_damaged_is_found() {
    let table = [
        ("log", "PRIMARY", "PRIMQRY"),
        ("leases_by_renewal", "(renewal)", "(renewal+1)"),
        ("records", "ORDER BY keyspace", "ORDER BY kexspace"),
    ];
    for (name, word, damaged) in table {
        let (_folder, file) = folder();
        written(&file).await;
        let tool = Connection::open(&file).unwrap();
        tool.execute_batch("PRAGMA writable_schema = ON").unwrap();
        let damage = "UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2) WHERE name = ?3";
        assert_eq!(tool.execute(damage, [word, damaged, name]).unwrap(), 1);
        drop(tool);
        let error = SqliteLog::open(&file).await.unwrap_err();
        assert!(is_of_damage(&error), "{damaged}: {error}");
    }
}

/// What people add with the `sqlite3` tool is theirs.
#[tokio::test]
async fn a_view_of_somebody_elses_is_left_alone() {
    let (_folder, file) = folder();
    written(&file).await;
    let tool = Connection::open(&file).unwrap();
    tool.execute_batch("CREATE VIEW mine AS SELECT key FROM records; ANALYZE")
        .unwrap();
    drop(tool);
    let log = SqliteLog::open(&file).await.unwrap();
    assert!(!records(&log).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_is_cut_is_found_to_be() {
    let (_folder, file) = folder();
    written(&file).await;
    let good = fs::read(&file).unwrap();
    let whole = read_all(&good).await.unwrap();
    for length in (1..good.len()).step_by(509) {
        match read_all(&good[..length]).await {
            Err(error) => assert!(is_of_damage(&error), "{length} bytes: {error}"),
            // Only what was empty is missing.
            Ok(read) => assert_eq!(read, whole, "{length} of {} bytes", good.len()),
        }
    }
}
