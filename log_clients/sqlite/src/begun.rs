//! A transaction of SQLite's, begun and ended by statements that are parsed once.
//!
//! Never leaves one open: what is not committed is rolled back.

use std::ops::Deref;

use globe_log_client::Result;
use rusqlite::Connection;

use crate::error::explain;

/// Where it is dropped, nothing of it is left.
pub(crate) struct Begun<'a> {
    connection: &'a Connection,
}

impl<'a> Begun<'a> {
    /// To look at one moment of the file.
    pub(crate) fn to_look(connection: &'a Connection) -> Result<Begun<'a>> {
        Begun::by("BEGIN DEFERRED", connection)
    }

    /// To write, as the only one.
    ///
    /// # Errors
    /// `Unavailable` while another process does.
    pub(crate) fn to_write(connection: &'a Connection) -> Result<Begun<'a>> {
        Begun::by("BEGIN IMMEDIATE", connection)
    }

    fn by(sql: &str, connection: &'a Connection) -> Result<Begun<'a>> {
        run(connection, sql).map_err(explain)?;
        Ok(Begun { connection })
    }

    /// # Errors
    /// Whatever keeps it from being written: it may be on the disk all the same.
    pub(crate) fn commit(self) -> Result<()> {
        run(self.connection, "COMMIT").map_err(explain)
    }
}

impl Deref for Begun<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        // After a commit, and after some errors, there is none any more.
        if !self.connection.is_autocommit()
            && let Err(error) = run(self.connection, "ROLLBACK")
        {
            tracing::debug!(reason = %error, "a transaction cannot be rolled back");
        }
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
