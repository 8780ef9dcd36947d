//! Writes under the lease of a session, and what every other write means for the keys that sessions want.
//!
//! Never keeps a lease alive, and never writes under one of another life of the log than the guards are from.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{Error, ErrorKind, Lease, Result};
use tokio::time::{Instant, timeout_at};

use crate::entry::key::Key;
use crate::write::attempt::{Basis, Outcome};
use crate::write::committer::Committer;
use crate::write::draft::{Draft, Guarded, Stands};
use crate::write::leasing::Leasing;
use crate::write::wanted::{Intent, WantedValue};
use crate::write::write_set::WriteSet;
use crate::write::writer::Writer;
use crate::write::writing::{Writing, end};
use crate::write::written::Written;

/// What became of an attempt to write under a lease.
enum Leased {
    Written(Written),
    /// Nothing was written: the lease is gone, or the log is in another life than it.
    LeaseGone(Error),
}

impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Writes a key that is to stand as long as a session does: over whatever stands there, or only where nothing does.
    pub(crate) async fn put_leased(
        &self,
        bound: Duration,
        session: &Arc<dyn Leasing>,
        key: &K,
        value: &V,
        basis: Basis,
        is_claim: bool,
    ) -> Result<Written> {
        let text = self.encode_key(key)?;
        let encoded = self.draft(&text, value, false)?.bytes();
        let mut committer = self.committer(bound);
        loop {
            let lease = self.lease(&committer, session, key, &text).await?;
            let set = self.leased_set(key, &text, &encoded, lease, basis);
            let intent = Intent::Want {
                session: Arc::downgrade(session),
                lease: lease.id,
                life: lease.epoch,
                value: WantedValue::Encoded(encoded.clone()),
                is_claim,
            };
            let attempt = self.attempt_leased(&mut committer, lease, set, intent, basis);
            match attempt.await? {
                Leased::Written(written) => return Ok(written),
                Leased::LeaseGone(error) => {
                    session.doubt(lease);
                    if !committer.pause().await {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// A lease for a key, as soon as the session has one, and this map has followed the log into its life.
    async fn lease(
        &self,
        committer: &Committer<'_>,
        session: &Arc<dyn Leasing>,
        key: &K,
        text: &Bytes,
    ) -> Result<Lease> {
        let deadline = committer.deadline;
        loop {
            let live = timeout_at(deadline, session.live()).await;
            live.unwrap_or_else(|_| Err(suspended(&self.name(text))))?;
            let state = self.replica.state();
            let bound = self.known(&state, text, key).lease();
            match session.lease(bound) {
                Err(error) if *error.kind() == ErrorKind::Unavailable => {}
                other => return other,
            }
            if Instant::now() >= deadline {
                return Err(suspended(&self.name(text)));
            }
            tokio::task::yield_now().await;
        }
    }

    /// The write, guarded by what stands here if that is of the lease's life.
    fn leased_set(
        &self,
        key: &K,
        text: &Bytes,
        encoded: &Bytes,
        lease: Lease,
        basis: Basis,
    ) -> WriteSet {
        let state = self.replica.state();
        let is_of_life = state.epoch() == Some(lease.epoch);
        let stands = match basis {
            Basis::Exactly => Stands::Nothing,
            _ if !is_of_life => Stands::Nothing,
            _ => self.known(&state, text, key),
        };
        let draft = Draft::PutLeased(encoded.clone(), lease.id);
        WriteSet::one(Some(lease.epoch), text.clone(), stands, draft)
    }

    /// Tries until it is written, refused, or the lease turns out to be gone.
    async fn attempt_leased(
        &self,
        committer: &mut Committer<'_>,
        lease: Lease,
        mut set: WriteSet,
        intent: Intent,
        basis: Basis,
    ) -> Result<Leased> {
        let Some(text) = set.writes.keys().next().cloned() else {
            return Err(Error::new(ErrorKind::Invalid, "nothing is to be written"));
        };
        let mut writing = Writing::begin(&self.wanted, &text, intent, set.stands(&text));
        loop {
            if let Some(writing) = &mut writing {
                writing.over = set.stands(&text);
            }
            let outcome = self.send(committer, &set, basis).await;
            if let Ok(Outcome::Overtaken(conflict)) = &outcome {
                set.guard_by(conflict);
                if set.life == Some(lease.epoch) {
                    continue;
                }
            }
            end([writing], &outcome);
            return match outcome {
                Ok(Outcome::Committed(position)) => {
                    Ok(Leased::Written(Written::new(position, &set)))
                }
                Ok(_) => Ok(Leased::LeaseGone(of_another_life(lease))),
                Err(error) if *error.kind() == ErrorKind::LeaseLost => Ok(Leased::LeaseGone(error)),
                Err(error) => Err(error),
            };
        }
    }
}

/// A set of writes that the sessions of this process have been told of.
#[derive(Default)]
pub(crate) struct Announced {
    pub(crate) writings: Vec<Option<Writing>>,
    /// What is to be sent instead of it, so that its keys stay with their sessions.
    pub(crate) staying: Option<WriteSet>,
    /// The sessions they stay with, and under which leases.
    sessions: Vec<(Arc<dyn Leasing>, Lease)>,
}

impl Announced {
    /// One of the leases that were chosen for it is gone, and will be looked at: whether there are any.
    pub(crate) fn doubts(&self) -> bool {
        for (session, lease) in &self.sessions {
            session.doubt(*lease);
        }
        !self.sessions.is_empty()
    }
}

/// What any write means for the keys that sessions want.
impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Tells the sessions of this process of a set of writes, before it is sent: as soon as those have leases that are to
    /// keep one of its keys. Nothing, if its guards are of another life of the log than these, and may be taken anew.
    ///
    /// # Errors
    /// `Unavailable` at the deadline, `Closed` of a session: then nothing was told.
    pub(crate) async fn announced(
        &self,
        committer: &mut Committer<'_>,
        set: &WriteSet,
        basis: Basis,
    ) -> Result<Option<Announced>> {
        loop {
            let error = match self.announce(set) {
                Ok(announced) => return Ok(Some(announced)),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::EpochChanged if basis != Basis::Exactly => {
                    let has_time = committer.pause().await;
                    return if has_time { Ok(None) } else { Err(error) };
                }
                ErrorKind::Unavailable => {
                    for session in self.sessions_of(set) {
                        let live = timeout_at(committer.deadline, session.live()).await;
                        live.unwrap_or_else(|_| Err(error.clone()))?;
                    }
                    if !committer.pause().await {
                        return Err(error);
                    }
                }
                _ => return Err(error),
            }
        }
    }

    /// The sessions that keys which are put stay with.
    fn sessions_of(&self, set: &WriteSet) -> Vec<Arc<dyn Leasing>> {
        let puts = set.writes.iter();
        let puts = puts.filter(|(_, guarded)| matches!(guarded.draft, Draft::Put(_)));
        puts.filter_map(|(text, guarded)| self.wanted.stays_with(text, guarded.stands.lease()))
            .collect()
    }

    /// Tells the sessions of this process of a set of writes, before it is sent; and the set that is to be sent instead of it.
    ///
    /// # Errors
    /// `Unavailable` while a session that is to keep one of its keys has no lease, `EpochChanged` if that is of another life
    /// than the guards: then nothing was told.
    fn announce(&self, set: &WriteSet) -> Result<Announced> {
        let (mut intents, mut announced) = (Vec::new(), Announced::default());
        if self.wanted.is_unheard() {
            return Ok(announced);
        }
        for (text, guarded) in set.writes.iter() {
            let Draft::Put(value) = &guarded.draft else {
                let leaves = guarded.draft.leaves();
                intents.extend(leaves.then_some((text, guarded.stands, Intent::Leave)));
                continue;
            };
            let (encoded, value) = (value.clone(), WantedValue::Encoded(value.clone()));
            let intent = match self.stay(set, text, guarded)? {
                None => Intent::Keep { value },
                Some((session, lease)) => {
                    let changed = announced.staying.get_or_insert_with(|| set.clone());
                    changed.put_under(text, encoded, lease);
                    let weak = Arc::downgrade(&session);
                    announced.sessions.push((session, lease));
                    Intent::Want {
                        session: weak,
                        lease: lease.id,
                        life: lease.epoch,
                        value,
                        is_claim: false,
                    }
                }
            };
            intents.push((text, guarded.stands, intent));
        }
        let begin = |(text, stands, intent)| Writing::begin(&self.wanted, text, intent, stands);
        announced.writings = intents.into_iter().map(begin).collect();
        Ok(announced)
    }

    /// The lease for a put of a key that is to stay with a session, although it is not said so.
    fn stay(
        &self,
        set: &WriteSet,
        text: &Bytes,
        guarded: &Guarded,
    ) -> Result<Option<(Arc<dyn Leasing>, Lease)>> {
        let bound = guarded.stands.lease();
        let Some(session) = self.wanted.stays_with(text, bound) else {
            return Ok(None);
        };
        let lease = session.lease(bound)?;
        if set.life.is_some_and(|life| life != lease.epoch) {
            session.doubt(lease);
            let name = self.name(text);
            let why = format!("{name} was not written: its session is in another life of the log");
            return Err(Error::new(ErrorKind::EpochChanged, why));
        }
        Ok(Some((session, lease)))
    }
}

fn suspended(name: &str) -> Error {
    let why = format!("{name} was not written: its session had no live lease until the deadline");
    Error::new(ErrorKind::Unavailable, why)
}

fn of_another_life(lease: Lease) -> Error {
    let why = format!(
        "lease {} is of another life of the log: nothing was written",
        lease.id
    );
    Error::new(ErrorKind::LeaseLost, why)
}
