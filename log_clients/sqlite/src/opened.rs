//! The file as one thread has it open, and whether it still is the file of the log.
//!
//! Never makes a file: one that is gone may come back, and a new one would hide it.

use std::path::Path;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::begun::Begun;
use crate::error::{damaged, explain, is_busy, is_unopened};
use crate::file::{self, FileId, Mark, Marked, Still};
use crate::schema;
use crate::stand::{Stand, new_life};
use crate::time::{now, sleep};
use crate::way::{Synchronous, Way};

/// How a connection waits for the locks of others: only for moments, as they are held for a recovery or a checkpoint.
const BUSY: Duration = Duration::from_secs(2);

/// Between two looks whether another life has to be begun, while somebody else writes.
const PAUSE: Duration = Duration::from_millis(1);

/// How many lives may end while one looks.
const LIVES: u32 = 8;

/// The log file beside it that SQLite keeps, in bytes, after a burst.
const LARGEST_WAL: i64 = 64 * 1024 * 1024;

/// The file of a log, as one thread has it open.
pub(crate) struct Opened {
    way: Way,
    /// How long SQLite waits for the locks of others.
    patience: Duration,
    at_hand: Option<AtHand>,
}

struct AtHand {
    connection: Connection,
    /// It is read as if nobody wrote it, which is so while it lies like this.
    still: Option<Still>,
    mark: Mark,
    id: FileId,
}

impl AtHand {
    /// Whether it can be used for what stands at the path now.
    fn is_good(&self, way: &Way, id: FileId) -> bool {
        let is_still = || self.still.is_none() || self.still == Still::at(&way.path);
        self.id == id && is_still()
    }
}

/// A file that is the one of the log, at this moment.
pub(crate) struct Held<'a> {
    pub(crate) connection: &'a Connection,
    way: &'a Way,
    still: Option<Still>,
    mark: &'a Mark,
    id: FileId,
    /// It was opened for this.
    pub(crate) is_new: bool,
}

impl Opened {
    pub(crate) fn new(way: Way) -> Opened {
        Opened {
            way,
            patience: BUSY,
            at_hand: None,
        }
    }

    /// For who waits for locks himself.
    pub(crate) fn impatient(way: Way) -> Opened {
        let patience = Duration::ZERO;
        let opened = Opened::new(way);
        Opened { patience, ..opened }
    }

    /// The file that stands at the path now: opened anew, if it is another than before.
    pub(crate) fn hold(&mut self) -> Result<Held<'_>> {
        let id = FileId::at(&self.way.path)?;
        let at_hand = self.at_hand.take();
        let at_hand = at_hand.filter(|at_hand| at_hand.is_good(&self.way, id));
        let (at_hand, is_new) = match at_hand {
            Some(at_hand) => (at_hand, false),
            None => (self.open(id)?, true),
        };
        let at_hand = self.at_hand.insert(at_hand);
        Ok(Held {
            connection: &at_hand.connection,
            way: &self.way,
            still: at_hand.still,
            mark: &at_hand.mark,
            id: at_hand.id,
            is_new,
        })
    }

    /// Whether the file that stands at the path is still the one that was held. One that is gone may come back.
    pub(crate) fn is_replaced(&self) -> bool {
        let now = FileId::at(&self.way.path).ok();
        let held = self.at_hand.as_ref().map(|at_hand| at_hand.id);
        now.is_some() && now != held
    }

    fn open(&self, id: FileId) -> Result<AtHand> {
        let (connection, still) = connect(&self.way)?;
        if !schema::is_ours(&connection)? {
            let why = format!("{} is empty: it is no log yet", self.way.path.display());
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        if !self.way.read_only {
            set_up_to_write(&connection, &self.way).map_err(explain)?;
        }
        connection.busy_timeout(self.patience).map_err(explain)?;
        let mark = Mark::beside(&self.way.path, self.way.read_only);
        Ok(AtHand {
            connection,
            still,
            mark,
            id,
        })
    }
}

impl Held<'_> {
    /// Looks at the log, all at one moment.
    pub(crate) fn look<T>(
        &mut self,
        look: impl FnOnce(&Connection, &Stand) -> Result<T>,
    ) -> Result<T> {
        let (began, mut lives) = (now(), 0);
        while lives < LIVES {
            // Read first: what it says was committed before.
            let marked = self.mark.read();
            let transaction = Begun::to_look(self.connection)?;
            let stand = Stand::read(&transaction)?;
            if !self.is_of_another_life(&stand, marked) {
                let looked = look(&transaction, &stand);
                return self.as_it_lay(looked);
            }
            drop(transaction);
            match self.begin_again() {
                Ok(()) => lives += 1,
                // Whoever is writing begins it as well: by then there may be nothing left to do.
                Err(error) if is_busy(&error) && began.elapsed() < BUSY => sleep(PAUSE),
                Err(error) => return Err(error),
            }
        }
        Err(damaged("which life of the log it is"))
    }

    /// What was read, if nobody can have written meanwhile.
    fn as_it_lay<T>(&self, looked: Result<T>) -> Result<T> {
        if self.still.is_none() || self.still == Still::at(&self.way.path) {
            return looked;
        }
        let why = "somebody began to write the file while it was read";
        Err(Error::new(ErrorKind::Unavailable, why))
    }

    /// Where the log stands, for who is about to write it: as it is found; and as it is to be from now on, in a life of this
    /// very file.
    pub(crate) fn stand(&self, transaction: &Connection) -> Result<(Stand, Stand)> {
        let found = Stand::read(transaction)?;
        let mut stand = found;
        if self.is_of_another_life(&found, self.mark.read()) {
            tracing::warn!(head = %stand.head, "the log was restored, copied or rolled back: it begins another life");
            stand.life = new_life();
            stand.birth = self.id.birth;
            // While nobody else writes, and before it is committed: from then on it may be taken back. Where it is not committed
            // after all, whoever looks next begins another one.
            self.mark.begin(marked(&stand))?;
        }
        Ok((found, stand))
    }

    /// Says beside the log how far it has come, unless somebody who came later was sooner to say so.
    pub(crate) fn mark(&self, stand: &Stand) {
        self.mark.advance(marked(stand));
    }

    /// Whether it is a copy, or an earlier state, of what once was here: also of a life that others have followed since.
    fn is_of_another_life(&self, stand: &Stand, marked: Option<Marked>) -> bool {
        let is_earlier =
            marked.is_some_and(|marked| marked.life != stand.life || marked.head > stand.head.0);
        is_earlier || stand.birth != self.id.birth
    }

    fn begin_again(&self) -> Result<()> {
        if self.way.read_only {
            let why = "the log was restored or copied: it has to be opened for writing once";
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        // SQLite's own waiting is not fair: it may last although another has begun it by now. Who looks, looks again instead.
        self.connection
            .busy_timeout(Duration::ZERO)
            .map_err(explain)?;
        let begun = Begun::to_write(self.connection);
        self.connection.busy_timeout(BUSY).map_err(explain)?;
        let transaction = begun?;
        let (found, stand) = self.stand(&transaction)?;
        if stand == found {
            // Somebody else has begun it, and may have come further by now: a mark of this moment would take that back.
            return Ok(());
        }
        stand.write(&transaction).map_err(explain)?;
        transaction.commit()?;
        self.mark(&stand);
        Ok(())
    }
}

fn marked(stand: &Stand) -> Marked {
    let (life, head) = (stand.life, stand.head.0);
    Marked { life, head }
}

/// A connection to a file that is there; nothing is written to it.
///
/// To read a file that others may write, SQLite needs to lock what is beside it, or to make that. Where it cannot, the file is
/// read as if nobody wrote it, which whoever reads it has to make sure of.
fn connect(way: &Way) -> Result<(Connection, Option<Still>)> {
    if !way.read_only {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        return Ok((connect_to(&way.path, flags)?, None));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let before = Still::at(&way.path);
    let opened = connect_to(&way.path, flags).and_then(|connection| {
        // It is locked when it is read first.
        schema::is_ours(&connection)?;
        Ok(connection)
    });
    match (opened, before) {
        (Err(error), Some(still)) if is_unopened(&error) => {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            let connection = connect_to(&file::as_it_lies(&way.path), flags)?;
            Ok((connection, Some(still)))
        }
        (opened, _) => Ok((opened?, None)),
    }
}

fn connect_to(path: &Path, access: OpenFlags) -> Result<Connection> {
    // It is used by one thread.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(explain)?;
    let set_up = || {
        connection.busy_timeout(BUSY)?;
        // Without it SQLite plans a query anew for each value it is asked with.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "mmap_size", 0)
    };
    set_up().map_err(explain)?;
    Ok(connection)
}

/// How it writes. The first to do so makes the file one that is read while it is written.
fn set_up_to_write(connection: &Connection, way: &Way) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "journal_size_limit", LARGEST_WAL)?;
    let (is_full, name) = match way.synchronous {
        Synchronous::Full => (true, "full"),
        Synchronous::Normal => (false, "normal"),
    };
    connection.pragma_update(None, "synchronous", name)?;
    // Elsewhere it does nothing: what macOS calls a sync does not reach the disk.
    connection.pragma_update(None, "fullfsync", is_full)
}

/// Makes the file, if there is none, and makes a log of it, if it is empty.
///
/// # Errors
/// As `file::make`, `file::check_is_local` and `schema` have them.
pub(crate) fn establish(way: &Way) -> Result<()> {
    file::check_is_local(&way.path)?;
    if !way.read_only {
        file::make(&way.path)?;
    }
    file::check_is_no_scrap(&way.path)?;
    let (connection, _) = connect(way)?;
    if schema::is_ours(&connection)? {
        return schema::check(&connection);
    }
    if way.read_only {
        // `Opened` says so, now and later.
        return Ok(());
    }
    set_up_to_write(&connection, way).map_err(explain)?;
    let first = Stand::first(FileId::at(&way.path)?.birth);
    // What is left beside it, of another file that was here, says nothing about this one.
    let mark = || Mark::beside(&way.path, way.read_only).begin(marked(&first));
    schema::make(&connection, &first, mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_made_where_another_was_goes_on_in_its_first_life() {
        let folder = tempfile::tempdir().unwrap();
        let way = Way {
            path: folder.path().join("log.db"),
            synchronous: Synchronous::Full,
            read_only: false,
        };
        let left = Marked { life: 7, head: 5 };
        Mark::beside(&way.path, false).begin(left).unwrap();
        establish(&way).unwrap();
        let made = Stand::read(&Connection::open(&way.path).unwrap()).unwrap();
        let mut opened = Opened::new(way);
        let mut held = opened.hold().unwrap();
        let life = held.look(|_, stand| Ok(stand.life)).unwrap();
        assert_eq!(life, made.life);
    }
}
