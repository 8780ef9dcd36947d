//! One row of `changes`: how it is written, and how it is read again.
//!
//! Never believes what it reads: a sum tells whether it was written so.

use bytes::Bytes;
use crc32fast::Hasher;
use globe_log_client::{Change, LeaseId, Record, Result, Revision};
use rusqlite::{Connection, Row, params};

use crate::error::{damaged, explain};
use crate::ids::{Places, revision};

/// A row to be written; without a value, a deletion.
pub(crate) struct New<'a> {
    pub(crate) keyspace: &'a str,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    /// Of a deletion: the revision at which the record was that it deletes.
    pub(crate) created: Revision,
    pub(crate) lease: Option<LeaseId>,
}

impl New<'_> {
    /// `sums` are those of its keyspace.
    fn sum(&self, id: i64, sums: &Sums<'_>) -> i64 {
        let lease = self.lease.map(LeaseId::get).unwrap_or_default();
        // What is there, and where it ends.
        let shape = u64::from(self.value.is_some())
            | u64::from(self.lease.is_some()) << 1
            | (self.key.len() as u64) << 2;
        let numbers = [id.cast_unsigned(), self.created.0, lease, shape];
        let mut hasher = sums.begun.clone();
        hasher.update(numbers.map(u64::to_le_bytes).as_flattened());
        hasher.update(self.key);
        hasher.update(self.value.unwrap_or_default());
        i64::from(hasher.finalize())
    }

    /// Writes it at the next place; `at` is the time by the wall clock, for people.
    pub(crate) fn insert(
        &self,
        connection: &Connection,
        places: &mut Places,
        at: i64,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO changes (id, keyspace, key, value, created, lease, at, sum)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let id = places.take();
        let created = self.created.0.cast_signed();
        let lease = self.lease.map(|lease| lease.get().cast_signed());
        let sum = self.sum(id, &Sums::of(self.keyspace));
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![
            id,
            self.keyspace,
            self.key,
            self.value,
            created,
            lease,
            at,
            sum
        ])?;
        Ok(())
    }
}

/// The sums of the rows of a keyspace, as far as they have in common.
pub(crate) struct Sums<'a> {
    keyspace: &'a str,
    begun: Hasher,
}

impl<'a> Sums<'a> {
    pub(crate) fn of(keyspace: &'a str) -> Sums<'a> {
        let mut begun = Hasher::new();
        begun.update(&(keyspace.len() as u64).to_le_bytes());
        begun.update(keyspace.as_bytes());
        Sums { keyspace, begun }
    }
}

/// The columns that `read` reads, after the id.
pub(crate) const COLUMNS: &str = "key, value, created, lease, sum";

/// The key of a row.
pub(crate) fn key<'a>(row: &'a Row<'_>) -> Result<&'a [u8]> {
    let key = || Ok(row.get_ref(1)?.as_blob()?);
    key().map_err(explain)
}

/// The id of a row, and the rest of it.
///
/// # Errors
/// `Denied` if it is not what was written.
pub(crate) fn read(row: &Row<'_>, key: &[u8], sums: &Sums<'_>) -> Result<(i64, Change)> {
    let read = read_unless_changed(row, key, sums).map_err(explain)?;
    read.ok_or_else(|| damaged("a record"))
}

fn read_unless_changed(
    row: &Row<'_>,
    key: &[u8],
    sums: &Sums<'_>,
) -> rusqlite::Result<Option<(i64, Change)>> {
    let id: i64 = row.get(0)?;
    let value = row.get_ref(2)?.as_blob_or_null()?;
    let new = New {
        keyspace: sums.keyspace,
        key,
        value,
        created: Revision(row.get::<_, i64>(3)?.cast_unsigned()),
        lease: lease(row, 4)?,
    };
    if new.sum(id, sums) != row.get::<_, i64>(5)? {
        return Ok(None);
    }
    let key = Bytes::copy_from_slice(key);
    let change = match value {
        None => Change::delete(key),
        Some(value) => {
            let value = Bytes::copy_from_slice(value);
            let record = Record::new(key, value, new.created, revision(id));
            Change::Put(record.with_lease(new.lease))
        }
    };
    Ok(Some((id, change)))
}

/// The lease in a column.
pub(crate) fn lease(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<LeaseId>> {
    let bits: Option<i64> = row.get(column)?;
    Ok(bits.map(|bits| LeaseId::new(bits.cast_unsigned())))
}
