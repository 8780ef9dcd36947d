//! The record of a registration: how it is written, and how it goes.
//!
//! Never writes over somebody else's: who took the id over has it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ground::backoff::Backoff;
use crate::recipes::registry::hub::Hub;
use crate::recipes::registry::member::{Member, State};
use crate::recipes::registry::record::Record;
use crate::recipes::registry::turn::Turn;
use crate::{Entry, Error, ErrorKind, Globe, Phase, Result, Session, SessionState};

/// How long is waited before it is tried again to deregister in the background.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long each of those attempts may take: whoever registers the same once more waits for it.
const ATTEMPT: Duration = Duration::from_secs(2);

pub(crate) struct Place<T> {
    pub(crate) hub: Arc<Hub<T>>,
    pub(crate) session: Session,
    pub(crate) key: String,
    /// As it was written last.
    mine: Mutex<Member<T>>,
    turn: Arc<Turn>,
    /// Which registration of its key this is; 0 before it is one.
    number: AtomicU64,
    /// Cancelled when it is to go, or has gone.
    pub(crate) left: CancellationToken,
}

/// What is to become of the record.
enum Next<T> {
    Put(Record<T>),
    Delete,
    Keep,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Place<T> {
    pub(crate) fn new(
        hub: &Arc<Hub<T>>,
        session: &Session,
        key: String,
        mine: Member<T>,
    ) -> Place<T> {
        Place {
            hub: Arc::clone(hub),
            session: session.clone(),
            turn: hub.turns.of(&key),
            number: AtomicU64::new(0),
            key,
            mine: Mutex::new(mine),
            left: CancellationToken::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Member<T>> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it stands, or was written last.
    pub(crate) fn mine(&self) -> Member<T> {
        let mine = self.lock().clone();
        // Of a write whose outcome nobody knew, what the log turns out to have counts.
        let standing = self.hub.map.get_entry(self.key.as_str());
        let own = standing.filter(|entry| self.session.owns(entry));
        own.map_or_else(|| mine.clone(), |entry| entry.member(&mine.id))
    }

    /// Writes it as registered, whatever stands there.
    pub(crate) async fn register(&self) -> Result<()> {
        let _turn = self.turn.lock.lock().await;
        let record = Record::of(&self.lock().clone());
        let map = &self.hub.map;
        let written = map.put_ephemeral(&self.session, self.key.as_str(), record);
        match written.await {
            // It is committed.
            Err(error) if !matches!(error.kind(), ErrorKind::Behind(_)) => return Err(error),
            _ => self.number.store(self.turn.take(), Ordering::SeqCst),
        }
        self.listed().await
    }

    /// Changes it.
    pub(crate) async fn set(&self, change: impl FnOnce(&mut Member<T>)) -> Result<()> {
        let _turn = self.turn.lock.lock().await;
        let before = self.mine();
        let mut member = before.clone();
        change(&mut member);
        if member.id != before.id {
            let (was, is) = (&before.id, &member.id);
            let why = format!("the member {was} cannot become {is}: register that one");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        let map = &self.hub.map;
        self.write(map, |_| Next::Put(Record::of(&member))).await?;
        // What was there may be the last of something of the caller's: not under the lock.
        let before = std::mem::replace(&mut *self.lock(), member);
        drop(before);
        Ok(())
    }

    /// Drains it, so that nobody is alarmed, and then deletes it.
    pub(crate) async fn leave(&self) -> Result<()> {
        self.leave_by(&self.hub.map).await
    }

    async fn leave_by(&self, map: &Globe<String, Record<T>>) -> Result<()> {
        let _turn = self.turn.lock.lock().await;
        let draining = self.mine().state(State::Draining);
        self.write(map, |standing| match standing {
            Some(entry) if entry.state != State::Draining => Next::Put(Record::of(&draining)),
            _ => Next::Keep,
        })
        .await?;
        self.write(map, |_| Next::Delete).await
    }

    /// Does with the record what is decided on what stands there, if it is still this process'.
    async fn write(
        &self,
        map: &Globe<String, Record<T>>,
        next: impl Fn(Option<&Entry<Record<T>>>) -> Next<T>,
    ) -> Result<()> {
        let (key, session) = (self.key.as_str(), &self.session);
        let committed = map.transact(|txn| {
            let standing = txn.get_entry(map, key)?;
            let is_taken = standing.as_ref().is_some_and(|entry| !session.owns(entry));
            if is_taken || !self.is_last() {
                return Err(taken(key));
            }
            match next(standing.as_ref()) {
                Next::Put(record) => txn.put_ephemeral(map, session, key, record),
                Next::Delete => txn.delete(map, key),
                Next::Keep => Ok(()),
            }
        });
        committed.await?;
        self.listed().await
    }

    /// Waits until what was written is listed here as well: a moment. It is committed anyway.
    async fn listed(&self) -> Result<()> {
        let bound = self.hub.map.deadline()?;
        let _ = timeout(bound, self.hub.catch_up()).await;
        Ok(())
    }

    /// Whether this process has not registered it once more since.
    fn is_last(&self) -> bool {
        self.turn.is_of(self.number.load(Ordering::SeqCst))
    }

    /// Whether it stands, by all that is known here now.
    pub(crate) fn is_registered(&self) -> bool {
        let map = &self.hub.map;
        let follows = || !matches!(map.status().phase, Phase::Closed | Phase::Failed);
        let stands = || {
            let entry = map.get_entry(self.key.as_str());
            entry.is_some_and(|entry| self.session.owns(&entry))
        };
        !self.left.is_cancelled()
            && self.is_last()
            && self.session.state() == SessionState::Live
            && stands()
            && follows()
    }

    /// Leaves, however long the log is away, unless it is not there to leave any more.
    pub(crate) async fn leave_at_last(&self) {
        let mut pauses = Backoff::new(PAUSES.0, PAUSES.1);
        let map = self.hub.map.with_deadline(ATTEMPT);
        while let Err(error) = self.leave_by(&map).await {
            let is_over = matches!(error.kind(), ErrorKind::NotHeld | ErrorKind::Closed);
            let is_hopeless = !error.can_retry_later() && !error.can_retry_now();
            if is_over || (is_hopeless && !error.may_be_committed()) {
                let member = &self.key;
                tracing::debug!(%member, %error, "a member was not deregistered");
                return;
            }
            tokio::time::sleep(pauses.next()).await;
        }
    }
}

fn taken(key: &str) -> Error {
    let why = format!("{key} is registered once more by now, here or elsewhere");
    Error::new(ErrorKind::NotHeld, why)
}
