//! What is asked of the rows of `changes`: what stands where, what came after, and what is forgotten.
//!
//! Never begins or ends a transaction: it is called inside one.

use bytes::Bytes;
use globe_log_client::{Batch, Change, Keyspace, LeaseId, Record, Result, Revision, Standing};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{damaged, explain};
use crate::ids::{first, last, revision};
use crate::row::{COLUMNS, Sums, key, lease, read};

/// How many revisions one look at the tail goes through.
const LOOK: u64 = 4096;

/// How many records a page is made for at first.
const MOST: usize = 1000;

/// How many bytes of values one look reads, and one value more.
const BYTES: usize = 4 * 1024 * 1024;

/// What stands at a key.
pub(crate) fn standing(
    connection: &Connection,
    keyspace: &Keyspace,
    key: &[u8],
) -> Result<Option<Standing>> {
    let sql = "SELECT id, created, lease, value IS NOT NULL FROM changes
               WHERE keyspace = ?1 AND key = ?2 ORDER BY id DESC LIMIT 1";
    let read = || -> rusqlite::Result<Option<Standing>> {
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row(params![keyspace.as_str(), key], |row| {
            let created = Revision(row.get::<_, i64>(1)?.cast_unsigned());
            let standing = Standing::new(created, revision(row.get(0)?)).with_lease(lease(row, 2)?);
            Ok(row.get::<_, bool>(3)?.then_some(standing))
        });
        Ok(found.optional()?.flatten())
    };
    read().map_err(explain)
}

/// What a query found, in its order.
struct Found {
    rows: Vec<(i64, Change)>,
    /// There may be more: they were so large that it was enough for one look.
    is_cut: bool,
}

/// The rows of a query, until they hold more than so many bytes.
fn find(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    keyspace: &Keyspace,
    most_bytes: usize,
) -> Result<Found> {
    let mut statement = connection.prepare_cached(sql).map_err(explain)?;
    let mut found = statement.query(params).map_err(explain)?;
    let (mut rows, mut bytes, sums) = (Vec::new(), 0, Sums::of(keyspace.as_str()));
    while let Some(row) = found.next().map_err(explain)? {
        if bytes > most_bytes {
            return Ok(Found { rows, is_cut: true });
        }
        let (id, change) = read(row, key(row)?, &sums)?;
        if let Change::Put(record) = &change {
            bytes += record.value.len();
        }
        rows.push((id, change));
    }
    let is_cut = false;
    Ok(Found { rows, is_cut })
}

/// Records of a keyspace as they stood at a revision, after a key, in the order of keys: those among so many keys, as far as they
/// are not too large for one look, and the last of these keys if there may be more.
pub(crate) fn page(
    connection: &Connection,
    keyspace: &Keyspace,
    at: Revision,
    after: &[u8],
    most: usize,
) -> Result<(Vec<Record>, Option<Bytes>)> {
    let mut statement = connection
        .prepare_cached(&newest_first())
        .map_err(explain)?;
    let sums = Sums::of(keyspace.as_str());
    let (mut records, mut bytes) = (Vec::with_capacity(most.min(MOST)), 0);
    let (mut read_until, mut number) = (after.to_vec(), 0);
    'keys: loop {
        let params = params![keyspace.as_str(), &*read_until, last(at)];
        let mut found = statement.query(params).map_err(explain)?;
        let mut is_first = true;
        while let Some(row) = found.next().map_err(explain)? {
            if number == most || bytes > BYTES {
                return Ok((records, Some(read_until.into())));
            }
            let key = key(row)?;
            let (_, change) = read(row, key, &sums)?;
            if *key == *read_until && !is_first {
                // An older one of the same key: from the next key on.
                continue 'keys;
            }
            if *key <= *read_until {
                return Err(damaged("the order of keys"));
            }
            is_first = false;
            read_until.clear();
            read_until.extend_from_slice(key);
            number += 1;
            if let Change::Put(record) = change {
                bytes += record.value.len();
                records.push(record);
            }
        }
        return Ok((records, None));
    }
}

/// What was put and deleted at the keys after a key, of each key the newest first.
fn newest_first() -> String {
    format!(
        "SELECT id, {COLUMNS} FROM changes
         WHERE keyspace = ?1 AND key > ?2 AND id <= ?3 ORDER BY key, id DESC"
    )
}

fn record(change: Change) -> Option<Record> {
    match change {
        Change::Put(record) => Some(record),
        _ => None,
    }
}

/// The record that stood at a key at a revision.
pub(crate) fn at(
    connection: &Connection,
    keyspace: &Keyspace,
    key: &[u8],
    at: Revision,
) -> Result<Option<Record>> {
    let sql = format!(
        "SELECT id, {COLUMNS} FROM changes
         WHERE keyspace = ?1 AND key = ?2 AND id <= ?3 ORDER BY id DESC LIMIT 1"
    );
    let params = params![keyspace.as_str(), key, last(at)];
    let found = find(connection, &sql, params, keyspace, BYTES)?;
    let newest = found.rows.into_iter().next();
    Ok(newest.and_then(|(_, change)| record(change)))
}

/// The next batches of a keyspace after a revision that is not forgotten: the last is mere progress if nothing was found
/// further on; none if it is the head.
pub(crate) fn after(
    connection: &Connection,
    keyspace: &Keyspace,
    after: Revision,
    head: Revision,
    most: usize,
) -> Result<Vec<Batch>> {
    let end = head.min(Revision(after.0.saturating_add(LOOK)));
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let params = params![last(after), last(end), keyspace.as_str(), limit];
    let Found { mut rows, is_cut } = find(connection, &changes_of(), params, keyspace, BYTES)?;
    let mut end = end;
    if (is_cut || rows.len() >= most)
        && let Some((id, _)) = rows.last()
    {
        // The last commit may be cut: it is had whole.
        let cut = revision(*id);
        rows.retain(|(id, _)| revision(*id) < cut);
        let params = params![first(cut) - 1, last(cut), keyspace.as_str(), i64::MAX];
        rows.extend(find(connection, &changes_of(), params, keyspace, usize::MAX)?.rows);
        end = cut;
    }
    let mut batches: Vec<Batch> = Vec::new();
    for (id, change) in rows {
        match batches.last_mut() {
            Some(batch) if batch.revision == revision(id) => batch.changes.push(change),
            _ => batches.push(Batch::new(revision(id), vec![change])),
        }
    }
    let seen = batches.last().map_or(after, |batch| batch.revision);
    if seen < end {
        batches.push(Batch::progress(end));
    }
    Ok(batches)
}

/// The changes of a keyspace after an id. The plus keeps SQLite from going through all of the keyspace, by the other index.
fn changes_of() -> String {
    format!(
        "SELECT id, {COLUMNS} FROM changes
         WHERE id > ?1 AND id <= ?2 AND +keyspace = ?3 ORDER BY id LIMIT ?4"
    )
}

/// The records that are under a lease.
pub(crate) fn under(
    connection: &Connection,
    lease: LeaseId,
) -> Result<Vec<(String, Vec<u8>, Revision)>> {
    let sql = "SELECT keyspace, key, created FROM changes AS c
               WHERE lease = ?1 AND value IS NOT NULL AND id =
                   (SELECT max(id) FROM changes WHERE keyspace = c.keyspace AND key = c.key)
               ORDER BY keyspace, key";
    let query = || -> rusqlite::Result<Vec<_>> {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([lease.get().cast_signed()], |row| {
            let created = Revision(row.get::<_, i64>(2)?.cast_unsigned());
            Ok((row.get(0)?, row.get(1)?, created))
        })?;
        rows.collect()
    };
    query().map_err(explain)
}

/// The newest revision before the first that was committed at a time or later, by the wall clock, in milliseconds.
pub(crate) fn before(
    connection: &Connection,
    compacted: Revision,
    head: Revision,
    at: i64,
) -> rusqlite::Result<Revision> {
    let sql = "SELECT id FROM changes WHERE id > ?1 AND at >= ?2 ORDER BY id LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let young: Option<i64> = statement
        .query_row(params![last(compacted), at], |row| row.get(0))
        .optional()?;
    Ok(young.map_or(head, |id| Revision(revision(id).0 - 1)))
}

/// Forgets what was replaced at the revisions from `compacted` to `until`, as far as so many changes reach; says up to where.
pub(crate) fn forget(
    connection: &Connection,
    compacted: Revision,
    until: Revision,
    most: usize,
) -> rusqlite::Result<Revision> {
    let sql = "SELECT id, keyspace, key, value IS NULL FROM changes
               WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![last(compacted), last(until), limit], |row| {
        let (keyspace, key): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
        Ok((row.get::<_, i64>(0)?, keyspace, key, row.get::<_, bool>(3)?))
    })?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let until = match (rows.first(), rows.last()) {
        (Some((first, ..)), Some((last, ..))) if rows.len() >= most => {
            if revision(*first) == revision(*last) {
                // One commit of more changes than that: it is gone through whole.
                return forget(connection, compacted, revision(*last), usize::MAX);
            }
            // The rest of the last commit is not looked at yet.
            Revision(revision(*last).0 - 1)
        }
        _ => until,
    };
    let mut replaced = connection
        .prepare_cached("DELETE FROM changes WHERE keyspace = ?1 AND key = ?2 AND id < ?3")?;
    let mut deletion = connection.prepare_cached("DELETE FROM changes WHERE id = ?1")?;
    for (id, keyspace, key, is_deletion) in rows {
        if revision(id) > until {
            break;
        }
        replaced.execute(params![keyspace, key, id])?;
        if is_deletion {
            deletion.execute([id])?;
        }
    }
    Ok(until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Places;
    use crate::row::New;
    use crate::schema;

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let mut steps = statement.raw_query();
        let mut plan = Vec::new();
        while let Some(step) = steps.next().unwrap() {
            plan.push(step.get::<_, String>(3).unwrap());
        }
        plan.join("; ")
    }

    #[test]
    fn keys_that_are_out_of_order_are_damage() {
        let connection = Connection::open_in_memory().unwrap();
        schema::lay(&connection).unwrap();
        // An index that holds them in another order than it says.
        let lay_by = |order: &str| {
            let index = format!(
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema
                 SET sql = 'CREATE INDEX changes_by_key ON changes (keyspace, key {order}, id DESC)'
                 WHERE name = 'changes_by_key'; PRAGMA writable_schema = RESET;"
            );
            connection.execute_batch(&index).unwrap();
        };
        lay_by("DESC");
        let mut places = Places::of(Revision(2));
        for key in [b"a", b"b"] {
            let new = New {
                keyspace: "flags",
                key,
                value: Some(b"1"),
                created: Revision(2),
                lease: None,
            };
            new.insert(&connection, &mut places, 0).unwrap();
        }
        lay_by("ASC");
        let keyspace = Keyspace::new("flags").unwrap();
        let error = page(&connection, &keyspace, Revision(2), b"", 10).unwrap_err();
        assert!(error.context().contains("damaged"), "{error}");
    }

    #[test]
    fn a_tail_goes_through_what_is_new_and_a_page_through_its_keys() {
        let connection = Connection::open_in_memory().unwrap();
        schema::lay(&connection).unwrap();
        let table = [
            (
                changes_of(),
                "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            ),
            (
                newest_first(),
                "USING INDEX changes_by_key (keyspace=? AND key>?)",
            ),
        ];
        for (sql, way) in table {
            let plan = plan(&connection, &sql);
            assert_eq!(plan, format!("SEARCH changes {way}"), "{sql}");
        }
    }
}
