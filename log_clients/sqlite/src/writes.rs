//! What is asked of the one who writes, and how it is carried out inside a transaction of SQLite's.
//!
//! Never waits, never locks, and never ends the transaction.

use std::time::Duration;

use globe_log_client::{
    Conflict, Error, ErrorKind, FailedPrecondition, Lease, LeaseId, Position, Precondition, Result,
    Revision, Standing, Transaction, Write,
};
use rusqlite::Connection;

use crate::changes;
use crate::error::{explain, lost};
use crate::ids::{self, Places};
use crate::leases::{self, Kept};
use crate::row::New;
use crate::stand::Stand;
use crate::time::wall;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Commit(Transaction),
    Grant(Duration),
    Renew(Lease),
    Revoke(LeaseId),
    /// To end a lease that was silent, unless it was renewed meanwhile.
    End(Kept),
    /// To forget the history up to a revision.
    Compact(Revision),
}

/// How much of the past is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    pub(crate) commits: u64,
    pub(crate) age: Duration,
}

/// How many changes one commit forgets besides.
const STEP: usize = 1024;

/// What comes of it.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    At(Position),
    Granted(Lease),
}

/// One who carries out what is asked, on the log as it stands.
pub(crate) struct Writing<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) stand: Stand,
    at: i64,
}

impl<'a> Writing<'a> {
    pub(crate) fn new(connection: &'a Connection, stand: Stand) -> Writing<'a> {
        Writing {
            connection,
            stand,
            at: wall(),
        }
    }

    /// Carries it out, or changes nothing. When SQLite itself fails, it may have been carried out in part.
    pub(crate) fn carry_out(&mut self, ask: &Ask) -> Result<Done> {
        match ask {
            Ask::Commit(transaction) => self.commit(transaction),
            Ask::Grant(ttl) => self.grant(*ttl),
            Ask::Renew(lease) => self.renew(*lease),
            Ask::Revoke(lease) => self.end(*lease, ids::MOST),
            Ask::End(silent) => {
                let kept = leases::find(self.connection, silent.id)?;
                if kept == Some(*silent) {
                    return self.end(silent.id, ids::MOST);
                }
                Ok(Done::At(self.stand.position()))
            }
            Ask::Compact(revision) => self.compact(*revision),
        }
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Done> {
        self.stand.check_life(transaction.epoch())?;
        let failed = self.failed(transaction)?;
        if !failed.is_empty() {
            let conflict = Conflict::new(self.stand.position(), failed);
            return Err(Error::conflict(conflict));
        }
        let writes = transaction.writes();
        for (_, _, write) in writes {
            self.check(write)?;
        }
        let (revision, mut changed) = (self.stand.head.next(), false);
        let mut places = Places::of(revision);
        for (keyspace, key, write) in writes {
            let found = changes::standing(self.connection, keyspace, key)?;
            let (value, lease) = match write {
                Write::Put { value, lease, .. } => (Some(&**value), *lease),
                _ if found.is_none() => continue,
                _ => (None, None),
            };
            changed = true;
            let new = New {
                keyspace: keyspace.as_str(),
                key,
                value,
                created: found.map_or(revision, |found| found.created),
                lease,
            };
            new.insert(self.connection, &mut places, self.at)
                .map_err(explain)?;
        }
        if changed {
            self.stand.head = revision;
        }
        Ok(Done::At(self.stand.position()))
    }

    fn failed(&self, transaction: &Transaction) -> Result<Vec<FailedPrecondition>> {
        let mut failed = Vec::new();
        for (keyspace, key, precondition) in transaction.preconditions() {
            let found = changes::standing(self.connection, keyspace, key)?;
            if !holds(*precondition, found)? {
                failed.push(FailedPrecondition::new(
                    keyspace.clone(),
                    key.clone(),
                    found,
                ));
            }
        }
        Ok(failed)
    }

    /// It is a write that is known here, under no lease that is gone.
    fn check(&self, write: &Write) -> Result<()> {
        match write {
            Write::Put {
                lease: Some(lease), ..
            } => {
                let found = leases::find(self.connection, *lease)?;
                found.map(drop).ok_or_else(|| lost(*lease))
            }
            Write::Put { .. } | Write::Delete => Ok(()),
            unknown => {
                let why = format!("the sqlite log does not know the write {unknown:?}");
                Err(Error::new(ErrorKind::Unsupported, why))
            }
        }
    }

    fn grant(&mut self, ttl: Duration) -> Result<Done> {
        // Not to be had twice, in whatever life: no counter, which a restore would set back.
        let id = LeaseId::new(fastrand::u64(1..=i64::MAX.cast_unsigned()));
        if leases::find(self.connection, id)?.is_some() {
            return self.grant(ttl);
        }
        self.touch(id, ttl)
    }

    fn renew(&mut self, lease: Lease) -> Result<Done> {
        if lease.epoch != self.stand.epoch() {
            let why = format!("lease {} is of another life of the log", lease.id);
            return Err(Error::new(ErrorKind::LeaseLost, why));
        }
        let found = leases::find(self.connection, lease.id)?;
        let kept = found.ok_or_else(|| lost(lease.id))?;
        self.touch(kept.id, kept.ttl)
    }

    fn touch(&mut self, id: LeaseId, ttl: Duration) -> Result<Done> {
        self.stand.renewals += 1;
        let renewal = self.stand.renewals;
        leases::put(self.connection, Kept { id, ttl, renewal }).map_err(explain)?;
        Ok(Done::Granted(Lease::new(id, ttl, self.stand.epoch())))
    }

    /// Ends a lease, with all that is under it: with one commit, or with as many as it takes of so many changes.
    fn end(&mut self, lease: LeaseId, most: usize) -> Result<Done> {
        let under = changes::under(self.connection, lease)?;
        for under in under.chunks(most) {
            let revision = self.stand.head.next();
            let mut places = Places::of(revision);
            for (keyspace, key, created) in under {
                let deletion = New {
                    keyspace,
                    key,
                    value: None,
                    created: *created,
                    lease: None,
                };
                deletion
                    .insert(self.connection, &mut places, self.at)
                    .map_err(explain)?;
            }
            self.stand.head = revision;
        }
        leases::delete(self.connection, lease).map_err(explain)?;
        // So that it is seen that something has changed.
        self.stand.renewals += 1;
        Ok(Done::At(self.stand.position()))
    }

    fn compact(&mut self, revision: Revision) -> Result<Done> {
        let head = self.stand.head;
        if revision > head {
            let context = format!("cannot compact up to {revision}: the log stands at {head}");
            return Err(Error::new(ErrorKind::Invalid, context));
        }
        self.forget(revision, usize::MAX)?;
        Ok(Done::At(self.stand.position()))
    }

    /// Forgets a part of the history that is more than is to be kept.
    pub(crate) fn keep(&mut self, kept: History) -> Result<()> {
        let surplus = self.stand.head.0.saturating_sub(kept.commits);
        if surplus <= self.stand.compacted.0.saturating_add(kept.commits / 8) {
            return Ok(());
        }
        self.forget(Revision(surplus), STEP)
    }

    /// Forgets a part of what is older than is to be kept.
    pub(crate) fn keep_young(&mut self, kept: History) -> Result<()> {
        let age = i64::try_from(kept.age.as_millis()).unwrap_or(i64::MAX);
        let (compacted, head) = (self.stand.compacted, self.stand.head);
        let old = changes::before(
            self.connection,
            compacted,
            head,
            self.at.saturating_sub(age),
        );
        self.forget(old.map_err(explain)?, STEP)
    }

    /// Forgets history up to a revision, or as far as so many changes reach.
    fn forget(&mut self, until: Revision, most: usize) -> Result<()> {
        let compacted = self.stand.compacted;
        if until <= compacted {
            return Ok(());
        }
        let forgotten = changes::forget(self.connection, compacted, until, most);
        self.stand.compacted = forgotten.map_err(explain)?;
        Ok(())
    }
}

fn holds(precondition: Precondition, found: Option<Standing>) -> Result<bool> {
    match precondition {
        Precondition::Absent => Ok(found.is_none()),
        Precondition::Present => Ok(found.is_some()),
        Precondition::At(revision) => Ok(found.is_some_and(|found| found.modified == revision)),
        Precondition::Since(revision) => Ok(found.is_some_and(|found| found.created == revision)),
        unknown => {
            let why = format!("the sqlite log does not know the precondition {unknown:?}");
            Err(Error::new(ErrorKind::Unsupported, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::Keyspace;
    use tempfile::TempDir;

    use super::*;
    use crate::opened::{Held, Opened, establish};
    use crate::way::{Synchronous, Way};

    fn open(folder: &TempDir) -> Opened {
        let way = Way {
            path: folder.path().join("log.db"),
            synchronous: Synchronous::Normal,
            read_only: false,
        };
        establish(&way).unwrap();
        Opened::new(way)
    }

    /// Who writes, and a lease that was granted.
    fn granted<'a>(held: &Held<'a>) -> (Writing<'a>, Lease) {
        let (_, stand) = held.stand(held.connection).unwrap();
        let mut writing = Writing::new(held.connection, stand);
        match writing.grant(Duration::from_secs(3)).unwrap() {
            Done::Granted(lease) => (writing, lease),
            Done::At(_) => panic!("no lease was granted"),
        }
    }

    #[test]
    fn a_lease_of_more_records_than_a_commit_can_hold_ends_with_several() {
        let folder = tempfile::tempdir().unwrap();
        let mut opened = open(&folder);
        let held = opened.hold().unwrap();
        let (mut writing, lease) = granted(&held);
        let keyspace = Keyspace::new("flags").unwrap();
        let put = |several: Transaction, key: u32| {
            several.put_leased(&keyspace, key.to_string(), "1", lease.id)
        };
        let several = (0..5).fold(Transaction::new(), put);
        writing.commit(&several).unwrap();
        let before = writing.stand.head;
        writing.end(lease.id, 2).unwrap();
        assert_eq!(writing.stand.head.0, before.0 + 3);
        let batches = changes::after(held.connection, &keyspace, before, writing.stand.head, 100);
        let sizes = batches.unwrap().into_iter().map(|it| it.changes.len());
        assert_eq!(sizes.collect::<Vec<_>>(), [2, 2, 1]);
    }

    #[test]
    fn a_lease_that_was_renewed_meanwhile_is_not_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut opened = open(&folder);
        let held = opened.hold().unwrap();
        let (mut writing, lease) = granted(&held);
        let kept = || leases::find(held.connection, lease.id).unwrap();
        let silent = kept().unwrap();
        writing.carry_out(&Ask::Renew(lease)).unwrap();
        writing.carry_out(&Ask::End(silent)).unwrap();
        let renewed = kept().expect("it was renewed");
        writing.carry_out(&Ask::End(renewed)).unwrap();
        assert_eq!(kept(), None);
    }
}
