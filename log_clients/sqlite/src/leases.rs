//! The rows of `leases`: which leases there are, how long each lives, and when in the order of all renewals it was renewed last.
//!
//! Never holds a time of day, nor one of any clock: who sweeps counts by his own (see `silence`).

use std::time::Duration;

use globe_log_client::{LeaseId, Result};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::explain;

/// A lease as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: LeaseId,
    pub(crate) ttl: Duration,
    /// Which grant or renewal of all was its last.
    pub(crate) renewal: u64,
}

/// Makes a lease, or renews it.
pub(crate) fn put(connection: &Connection, kept: Kept) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO leases (id, ttl, renewal) VALUES (?1, ?2, ?3)";
    let ttl = i64::try_from(kept.ttl.as_millis()).unwrap_or(i64::MAX);
    let (id, renewal) = (kept.id.get().cast_signed(), kept.renewal.cast_signed());
    connection
        .prepare_cached(sql)?
        .execute(params![id, ttl, renewal])?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, id: LeaseId) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM leases WHERE id = ?1")?;
    statement.execute([id.get().cast_signed()])?;
    Ok(())
}

pub(crate) fn find(connection: &Connection, id: LeaseId) -> Result<Option<Kept>> {
    let sql = "SELECT id, ttl, renewal FROM leases WHERE id = ?1";
    let find = || {
        let mut statement = connection.prepare_cached(sql)?;
        statement
            .query_row([id.get().cast_signed()], read)
            .optional()
    };
    find().map_err(explain)
}

/// Those that were granted or renewed after a renewal.
pub(crate) fn since(connection: &Connection, renewal: u64) -> Result<Vec<Kept>> {
    let sql = "SELECT id, ttl, renewal FROM leases WHERE renewal > ?1";
    let query = || -> rusqlite::Result<Vec<Kept>> {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([renewal.cast_signed()], read)?;
        rows.collect()
    };
    query().map_err(explain)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(Kept {
        id: LeaseId::new(number(0)?),
        ttl: Duration::from_millis(number(1)?),
        renewal: number(2)?,
    })
}
