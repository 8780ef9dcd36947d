//! How loudly bad records are told of: the first few each, then only their number.
//!
//! It only tells: nothing is decided here.

use globe_log_client::Keyspace;

use crate::entry::quarantine::Quarantined;

/// So many bad records are told of one by one; more are only counted.
const FEW: u64 = 5;

/// What was said about bad records: a wrong codec makes all of them bad, again at each snapshot.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    found: u64,
    /// How many were found when their number was last told.
    told: u64,
}

impl Complaints {
    /// One more bad record was found, which was not known before.
    pub(crate) fn of(&mut self, keyspace: &Keyspace, bad: &Quarantined) {
        self.found += 1;
        let key = String::from_utf8_lossy(bad.key());
        let (version, reason) = (bad.version, &*bad.reason);
        if self.found <= FEW {
            self.told = self.found;
            tracing::warn!(%keyspace, %key, %version, reason, "a record is kept out: it cannot be decoded");
        } else {
            tracing::debug!(%keyspace, %key, %version, reason, "a record is kept out: it cannot be decoded");
        }
    }

    /// A batch is taken in: tells how many were found in all, each time their number has doubled.
    pub(crate) fn sum_up(&mut self, keyspace: &Keyspace, kept_out: usize) {
        self.tell(keyspace, kept_out, 2 * self.told);
    }

    /// A snapshot is taken in: tells how many were found in all, if more than were told of.
    pub(crate) fn sum_up_snapshot(&mut self, keyspace: &Keyspace, kept_out: usize) {
        self.tell(keyspace, kept_out, self.told + 1);
    }

    fn tell(&mut self, keyspace: &Keyspace, kept_out: usize, from: u64) {
        if self.found >= from && self.found > FEW {
            self.told = self.found;
            tracing::warn!(%keyspace, found = self.found, kept_out, "more records are kept out: they cannot be decoded");
        }
        if kept_out == 0 {
            *self = Complaints::default();
        }
    }
}
