//! A membership: the record by which a member of a shard table is there, for one life of it.
//!
//! Never takes over a record that stands: its commit would be that of another.

use std::sync::OnceLock;
use std::time::Duration;

use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::record::{Record, member_key};
use crate::recipes::shards::shard_member::{MemberState, ShardMember};
use crate::session::claims::Claimed;
use crate::{Error, ErrorKind, Globe, Loss, Result, Session, SessionState, Txn};

/// A member's record, while it stands.
#[derive(Debug)]
pub(crate) struct Membership {
    claimed: Claimed,
    incarnation: Incarnation,
    lost: OnceLock<Loss>,
}

impl Membership {
    /// Creates the record of a member; waits while one of its id stands.
    ///
    /// # Errors
    /// As a write.
    pub(crate) async fn enrol(
        map: &Globe<String, Record>,
        session: &Session,
        id: &str,
        member: &ShardMember,
    ) -> Result<Membership> {
        let key = member_key(id);
        loop {
            session.may_grant(map).await?;
            let record = Record::Member(member.clone());
            match session.claim(map, key.clone(), record).await {
                Ok(claimed) => {
                    let created = claimed.created().revision.0;
                    return Ok(Membership {
                        claimed,
                        incarnation: Incarnation::new(id, created),
                        lost: OnceLock::new(),
                    });
                }
                // Another life of this member, which ends with its session; or a leftover, which is swept.
                Err(error) if error.is_conflict() => {
                    map.wait_for(|view| !view.contains_key(&key)).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn incarnation(&self) -> &Incarnation {
        &self.incarnation
    }

    pub(crate) fn session(&self) -> &Session {
        self.claimed.session()
    }

    /// How it stands, by the clocks and the map of this moment.
    pub(crate) fn state(&self) -> SessionState {
        match self.lost.get() {
            Some(loss) => SessionState::Lost(*loss),
            None => self.claimed.state(),
        }
    }

    /// Whether it was found to be lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// From now on it is lost, whatever stands in the log.
    pub(crate) fn lose(&self, loss: Loss) {
        // The first reason is the one that counts.
        let _ = self.lost.set(loss);
    }

    pub(crate) fn require_in(&self, txn: &mut Txn<'_>) -> Result<()> {
        self.claimed.require_in(txn)
    }

    /// Says that the member gives away what it has.
    ///
    /// # Errors
    /// `NotHeld` if it is lost; otherwise as a write.
    pub(crate) async fn drain(&self, map: &Globe<String, Record>) -> Result<()> {
        let key = self.claimed.key();
        loop {
            let entry = map.get_entry(&key);
            let entry = entry.filter(|entry| entry.created().position() == self.claimed.created());
            let Some(entry) = entry.filter(|_| !self.is_lost()) else {
                return Err(Error::new(
                    ErrorKind::NotHeld,
                    format!("{key} is not held any more"),
                ));
            };
            let Record::Member(member) = &**entry.value() else {
                return Err(Error::new(
                    ErrorKind::NotHeld,
                    format!("{key} is no member"),
                ));
            };
            let draining = Record::Member(member.clone().with_state(MemberState::Draining));
            match map.rewrite_claim(&key, &entry, &draining).await {
                Err(error) if error.can_retry_now() => {}
                outcome => return outcome,
            }
        }
    }

    /// Deletes the record, and waits for that.
    ///
    /// # Errors
    /// As a delete: then the session goes on to delete it.
    pub(crate) async fn end(&self, bound: Duration) -> Result<()> {
        self.claimed.release(bound).await
    }
}
