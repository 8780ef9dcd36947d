//! The figures of the embedded log, each beside SQLite itself: prints rows of a Markdown table.
//!
//! It starts itself once more as the other process, and leaves nothing behind.

use std::fs;
use std::path::Path;

use globe::log_client::Transaction;
use globe::{Globe, Keyspace, LogClient, Position, SqliteLog};
use globe_bench::{Done, Onlooker, Target, Turns, report, rounds};
use rusqlite::{Connection, params};
use tokio::runtime::Runtime;
use tokio::time::{Duration, Instant, sleep};

const COMMITS: u32 = 200;
const BLOCKS: usize = 15;
const WRITERS: u32 = 64;
const ENTRIES: usize = 100_000;
const HYDRATIONS: usize = 9;
const SEEN: usize = 100;
const IDLE: Duration = Duration::from_secs(2);

fn main() -> Done {
    let runtime = Runtime::new()?;
    if let Some(file) = Onlooker::is_this() {
        return runtime.block_on(look_on(&file));
    }
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    runtime.block_on(commits(&file("commits.db"), &file("bare.db")))?;
    runtime.block_on(together(&file("together.db")))?;
    runtime.block_on(seen(&file("seen.db")))?;
    runtime.block_on(hydration(&file("many.db")))?;
    runtime.block_on(idle(&file("idle.db")))
}

/// One commit after the other, beside the same rows written by SQLite alone, as durably.
async fn commits(file: &Path, bare: &Path) -> Done {
    let log = SqliteLog::open(file).await?;
    drop(SqliteLog::open(bare).await?);
    let bare = Bare::open(bare)?;
    let (mut turns, mut number) = (Turns::default(), 0);
    for _ in 0..rounds(BLOCKS) {
        let begun = Instant::now();
        for number in number..number + COMMITS {
            put(&log, number).await?;
        }
        let ours = begun.elapsed();
        let begun = Instant::now();
        for number in number..number + COMMITS {
            bare.put(number)?;
        }
        turns.push(ours / COMMITS, begun.elapsed() / COMMITS);
        number += COMMITS;
    }
    let figure = "a durable commit, beside a transaction of SQLite with the same rows";
    report(figure, &turns, Target::Times(1.3));
    Ok(())
}

fn key(number: u32) -> String {
    format!("key-{:04}", number % 1_000)
}

/// A hundred bytes.
fn value(number: u32) -> String {
    let mut value = number.to_string();
    value.extend(std::iter::repeat_n("0123456789", 10));
    value.truncate(100);
    value
}

async fn put(log: &SqliteLog, number: u32) -> globe::Result<Position> {
    let keyspace = Keyspace::new("bench")?;
    let put = Transaction::new().put(&keyspace, key(number), value(number));
    log.commit(put).await
}

/// SQLite, with the tables of a log.
struct Bare(Connection);

impl Bare {
    fn open(file: &Path) -> Done<Bare> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(Bare(connection))
    }

    fn put(&self, number: u32) -> Done {
        let transaction = self.0.unchecked_transaction()?;
        let row = "INSERT INTO changes (id, keyspace, key, value, created, lease, at, sum)
                   VALUES (?1, 'bench', ?2, ?3, 1, NULL, 1, 1)";
        let id = i64::from(number + 2) << 20;
        transaction.prepare_cached(row)?.execute(params![
            id,
            key(number).as_bytes(),
            value(number).as_bytes()
        ])?;
        transaction
            .prepare_cached("UPDATE log SET head = ?1")?
            .execute([number])?;
        transaction.commit()?;
        Ok(())
    }
}

/// Many who write at once, beside one.
async fn together(file: &Path) -> Done {
    let log = SqliteLog::open(file).await?;
    let mut turns = Turns::default();
    for _ in 0..rounds(BLOCKS) {
        let begun = Instant::now();
        for number in 0..COMMITS {
            put(&log, number).await?;
        }
        let alone = begun.elapsed() / COMMITS;
        let begun = Instant::now();
        let all = (0..WRITERS).map(|writer| tokio::spawn(write(log.clone(), writer)));
        for one in all.collect::<Vec<_>>() {
            one.await??;
        }
        turns.push(begun.elapsed() / (WRITERS * COMMITS / 4), alone);
    }
    let figure = "a durable commit of 64 writers, beside one of one";
    report(figure, &turns, Target::Times(1.0 / 8.0));
    Ok(())
}

async fn write(log: SqliteLog, writer: u32) -> globe::Result<()> {
    for number in 0..COMMITS / 4 {
        put(&log, writer * COMMITS + number).await?;
    }
    Ok(())
}

/// From the call of a put until another process's map shows it, while it is done again and again: the 99th of 100.
async fn seen(file: &Path) -> Done {
    let map: Globe<String, usize> = Globe::open(SqliteLog::open(file).await?, "seen").await?;
    let onlooker = Onlooker::start(file.to_str().ok_or("a path that is no text")?)?;
    let mut turns = Turns::default();
    for block in 0..rounds(BLOCKS) {
        let (mut took, mut puts) = (Vec::new(), Vec::new());
        for number in 0..SEEN {
            let value = block * SEEN + number;
            let begun = Instant::now();
            map.put("key", value).await?;
            puts.push(begun.elapsed());
            took.push(onlooker.saw(&value.to_string())? - begun);
        }
        turns.push(late(took), late(puts));
    }
    let figure = "`put` until another process's map shows it, p99, beside the put";
    report(figure, &turns, Target::Under(2e6));
    Ok(())
}

fn late(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() * 99 / 100]
}

#[expect(clippy::print_stdout, reason = "that is how it is heard")]
async fn look_on(file: &str) -> Done {
    let map: Globe<String, usize> = Globe::open(SqliteLog::open(file).await?, "seen").await?;
    let mut watch = map.watch_value("key");
    println!("ready");
    while let Some(value) = watch.next().await {
        if let Some(value) = value {
            println!("{value}");
        }
    }
    Ok(())
}

/// All records of a snapshot, beside a SELECT of the same in the order of keys.
async fn hydration(file: &Path) -> Done {
    let log = SqliteLog::open(file).await?;
    let keyspace = Keyspace::new("many")?;
    for chunk in (0..ENTRIES).collect::<Vec<_>>().chunks(100) {
        let mut transaction = Transaction::new();
        for number in chunk {
            let key = format!("key-{number:06}");
            transaction = transaction.put(&keyspace, key, format!("{number:0100}"));
        }
        log.commit(transaction).await?;
    }
    let bare = Connection::open(file)?;
    let mut turns = Turns::default();
    for _ in 0..rounds(HYDRATIONS) {
        let begun = Instant::now();
        let records = log.snapshot(&keyspace).await?.collect().await?;
        let ours = begun.elapsed();
        let begun = Instant::now();
        let rows = all_rows(&bare)?;
        turns.push(ours, begun.elapsed());
        assert_eq!((records.len(), rows.len()), (ENTRIES, ENTRIES));
    }
    let figure = "a snapshot of 100,000 records, beside a SELECT of them";
    report(figure, &turns, Target::Times(1.3));
    drop(log);
    opening(file, &bare).await
}

/// To open it, which is to look through all of it for damage.
async fn opening(file: &Path, bare: &Connection) -> Done {
    let mut turns = Turns::default();
    for _ in 0..rounds(HYDRATIONS) {
        let begun = Instant::now();
        let log = SqliteLog::open(file).await?;
        let ours = begun.elapsed();
        drop(log);
        let begun = Instant::now();
        let rows = all_rows(bare)?;
        turns.push(ours, begun.elapsed());
        assert_eq!(rows.len(), ENTRIES);
    }
    let figure = "opening a file of 100,000 records, beside a SELECT of them";
    report(figure, &turns, Target::None);
    Ok(())
}

/// What a record consists of, of all that there are.
fn all_rows(bare: &Connection) -> rusqlite::Result<Vec<Row>> {
    let select = "SELECT key, value, created, id, lease FROM changes INDEXED BY changes_by_key
                  WHERE keyspace = 'many' ORDER BY key";
    let mut statement = bare.prepare(select)?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
        ))
    })?;
    rows.collect()
}

type Row = (Vec<u8>, Vec<u8>, i64, i64, Option<i64>);

/// What an open log costs that nobody uses, of one second; beside this process while it had none open. Not by turns: one that
/// was just opened looks for news more often than one that has been quiet.
async fn idle(file: &Path) -> Done {
    // What a thread has spent goes with it: those of the logs before have ended by then.
    sleep(IDLE).await;
    let (mut turns, mut nothing) = (Turns::default(), Vec::new());
    for _ in 0..rounds(5) {
        nothing.push(spent_asleep().await?);
    }
    let log = SqliteLog::open(file).await?;
    for nothing in nothing {
        turns.push(spent_asleep().await?, nothing);
    }
    drop(log);
    let figure = "processor time of an open log that nobody uses, in a second, beside none";
    report(figure, &turns, Target::Under(5e6));
    Ok(())
}

/// What is spent in a second in which this process only waits.
async fn spent_asleep() -> Done<Duration> {
    let before = processor_time()?;
    sleep(IDLE).await;
    Ok((processor_time()? - before) / IDLE.as_secs() as u32)
}

/// What this process has used of the processors, all its threads together.
fn processor_time() -> Done<Duration> {
    let schedule = fs::read_dir("/proc/self/task")?;
    let mut spent = 0;
    for task in schedule {
        let told = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = told.split_whitespace().next().ok_or("no schedstat")?;
        spent += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(spent))
}
