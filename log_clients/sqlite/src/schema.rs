//! The tables of the file, and how one is made, recognised and refused.
//!
//! Never changes a file that is not a log of Globe's, or is of a newer version.

use rusqlite::Connection;

use globe_log_client::{Error, ErrorKind, Result};

use crate::begun::Begun;
use crate::error::{damaged, explain};
use crate::stand::Stand;

/// "Glob", as `file(1)` and SQLite know it.
const APPLICATION: i64 = 0x476c_6f62;

/// What this version of Globe writes.
const VERSION: i64 = 1;

/// An entry of `changes` is a record as it was put, or (without a value) its deletion. Its id is its revision, times 2^20, and
/// its place in that commit; so the rows of a commit stand together, in order. The newest of a key is what stands there.
const TABLES: &str = "
CREATE TABLE log (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    life      INTEGER NOT NULL,
    head      INTEGER NOT NULL,
    compacted INTEGER NOT NULL,
    inode     INTEGER NOT NULL,
    born      INTEGER NOT NULL,
    renewals  INTEGER NOT NULL,
    sum       INTEGER NOT NULL
);
CREATE TABLE changes (
    id       INTEGER PRIMARY KEY,
    keyspace TEXT NOT NULL,
    key      BLOB NOT NULL,
    value    BLOB,
    created  INTEGER NOT NULL,
    lease    INTEGER,
    at       INTEGER NOT NULL,
    sum      INTEGER NOT NULL
);
CREATE INDEX changes_by_key ON changes (keyspace, key, id DESC);
CREATE INDEX changes_by_lease ON changes (lease) WHERE lease IS NOT NULL;
CREATE TABLE leases (
    id      INTEGER PRIMARY KEY,
    ttl     INTEGER NOT NULL,
    renewal INTEGER NOT NULL
);
CREATE INDEX leases_by_renewal ON leases (renewal);
";

/// For people with the `sqlite3` tool.
const VIEWS: &str = "
CREATE VIEW records AS
    SELECT keyspace, CAST(key AS TEXT) AS key, CAST(value AS TEXT) AS value,
           created, id >> 20 AS modified, printf('%x', lease) AS lease
    FROM changes AS c
    WHERE value IS NOT NULL
      AND id = (SELECT max(id) FROM changes WHERE keyspace = c.keyspace AND key = c.key)
    ORDER BY keyspace, key;
CREATE VIEW history AS
    SELECT id >> 20 AS revision, datetime(at / 1000, 'unixepoch') AS at, keyspace, CAST(key AS TEXT) AS key,
           CAST(value AS TEXT) AS value, value IS NULL AS is_deleted
    FROM changes ORDER BY id;
CREATE VIEW live_leases AS
    SELECT printf('%x', id) AS lease, ttl / 1000.0 AS seconds FROM leases;
";

/// Makes an empty file a log, which stands there first; that it begins is marked before it does.
pub(crate) fn make(
    connection: &Connection,
    first: &Stand,
    mark: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let transaction = Begun::to_write(connection)?;
    // Somebody else may have made it meanwhile.
    if is_ours_now(&transaction)? {
        return Ok(());
    }
    let make = || {
        lay(&transaction)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        first.write(&transaction)
    };
    make().map_err(explain)?;
    mark()?;
    transaction.commit()
}

/// Lays the tables, and the views.
pub(crate) fn lay(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    connection.execute_batch(VIEWS)
}

/// Whether it is a log of Globe's; false for one that is still empty.
///
/// # Errors
/// `Invalid` for a file of somebody else's; `Unsupported` for one of a newer Globe.
pub(crate) fn is_ours(connection: &Connection) -> Result<bool> {
    // At one moment: somebody else may be making it.
    let look = Begun::to_look(connection)?;
    is_ours_now(&look)
}

fn is_ours_now(connection: &Connection) -> Result<bool> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(explain)?;
    let version = number("user_version").map_err(explain)?;
    if application == APPLICATION && version == VERSION {
        return Ok(true);
    }
    if application == APPLICATION {
        let why = format!("the file is of version {version}; this Globe knows version {VERSION}");
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection
        .query_row(tables, [], |row| row.get(0))
        .map_err(explain)?;
    if application != 0 || version != 0 || tables > 0 {
        return Err(foreign());
    }
    Ok(false)
}

/// # Errors
/// `Denied` if its tables are not what was made, or SQLite finds that the file is damaged. It looks at all of it.
pub(crate) fn check(connection: &Connection) -> Result<()> {
    check_words(connection)?;
    let check = "PRAGMA integrity_check(1)";
    let found: String = connection
        .query_row(check, [], |row| row.get(0))
        .map_err(explain)?;
    if found == "ok" {
        return Ok(());
    }
    let why = format!("the file is damaged: {found}");
    Err(Error::new(ErrorKind::Denied, why))
}

/// A table whose words are damaged may still be one, of another meaning.
fn check_words(connection: &Connection) -> Result<()> {
    let expected = || {
        let another = Connection::open_in_memory()?;
        lay(&another)?;
        words(&another)
    };
    let expected = expected().map_err(explain)?;
    let found = words(connection).map_err(explain)?;
    // What people have added is theirs.
    match expected.iter().all(|words| found.contains(words)) {
        true => Ok(()),
        false => Err(damaged("how its tables are made")),
    }
}

fn words(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema")?;
    let words = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    words.collect()
}

pub(crate) fn foreign() -> Error {
    let why = "the file is one of something else, and no log of Globe's";
    Error::new(ErrorKind::Invalid, why)
}
