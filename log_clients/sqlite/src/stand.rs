//! Where the log stands: its life, its head, and up to where its history is forgotten.
//!
//! Never decides whether a life has ended: `opened` does.

use std::hash::{BuildHasher, RandomState};

use crc32fast::Hasher;
use globe_log_client::{Epoch, Error, ErrorKind, Position, Result, Revision};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{damaged, explain, forgotten};
use crate::file::Birth;

/// The one row of `log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// A number like no other: the epoch.
    pub(crate) life: u64,
    pub(crate) head: Revision,
    /// The newest forgotten revision.
    pub(crate) compacted: Revision,
    /// The file that it was written for.
    pub(crate) birth: Birth,
    /// How many times leases were granted or renewed.
    pub(crate) renewals: u64,
}

impl Stand {
    /// An empty log stands at revision 1, so that zero is before everything.
    pub(crate) fn first(birth: Birth) -> Stand {
        Stand {
            life: new_life(),
            head: Revision(1),
            compacted: Revision::ZERO,
            birth,
            renewals: 0,
        }
    }

    pub(crate) fn read(connection: &Connection) -> Result<Stand> {
        let sql = "SELECT life, head, compacted, inode, born, renewals, sum FROM log";
        let mut statement = connection.prepare_cached(sql).map_err(explain)?;
        let found = statement.query_row([], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            let stand = Stand {
                life: number(0)?,
                head: Revision(number(1)?),
                compacted: Revision(number(2)?),
                birth: Birth {
                    inode: number(3)?,
                    born: number(4)?,
                },
                renewals: number(5)?,
            };
            Ok((stand, number(6)?))
        });
        let (stand, sum) = found
            .optional()
            .map_err(explain)?
            .ok_or_else(|| damaged("where the log stands"))?;
        if stand.sum() != sum {
            return Err(damaged("where the log stands"));
        }
        Ok(stand)
    }

    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql =
            "INSERT OR REPLACE INTO log (one, life, head, compacted, inode, born, renewals, sum)
                   VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let mut statement = connection.prepare_cached(sql)?;
        let [life, head, compacted, inode, born, renewals] = self.numbers().map(u64::cast_signed);
        let sum = self.sum().cast_signed();
        statement.execute(params![life, head, compacted, inode, born, renewals, sum])?;
        Ok(())
    }

    fn numbers(&self) -> [u64; 6] {
        let (head, compacted) = (self.head.0, self.compacted.0);
        let Birth { inode, born } = self.birth;
        [self.life, head, compacted, inode, born, self.renewals]
    }

    fn sum(&self) -> u64 {
        let mut hasher = Hasher::new();
        for number in self.numbers() {
            hasher.update(&number.to_le_bytes());
        }
        u64::from(hasher.finalize())
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(self.life)
    }

    pub(crate) fn position(&self) -> Position {
        Position::new(self.epoch(), self.head)
    }

    /// Whether what came after a position is known.
    pub(crate) fn check_followable(&self, position: Position) -> Result<()> {
        self.check_covers(position)?;
        if position.revision < self.compacted {
            return Err(forgotten(position.revision, self.compacted));
        }
        Ok(())
    }

    fn check_covers(&self, position: Position) -> Result<()> {
        let head = self.position();
        if head.covers(position) {
            return Ok(());
        }
        let context = format!("position {position} is of another life: the log stands at {head}");
        Err(Error::new(ErrorKind::EpochChanged, context))
    }

    /// The life a transaction speaks of, if of any, is this one.
    pub(crate) fn check_life(&self, epoch: Option<Epoch>) -> Result<()> {
        if epoch.is_none_or(|epoch| epoch == self.epoch()) {
            return Ok(());
        }
        let context = "the transaction speaks of another life of the log: nothing was written";
        Err(Error::new(ErrorKind::EpochChanged, context))
    }
}

/// A life like no other.
pub(crate) fn new_life() -> u64 {
    RandomState::new().hash_one(())
}
