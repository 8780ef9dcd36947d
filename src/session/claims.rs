//! Claims: entries of a session that count only while the very commit that created them stands.
//!
//! Never puts one back: a claim that is gone is lost for good, and its key is not used again.

use std::any::Any;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use globe_log_client::{Error, ErrorKind, LeaseId, Position, Result};

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::globe::Globe;
use crate::ground::clock::Moment;
use crate::ground::sync::lock;
use crate::session::Session;
use crate::session::shared::Shared;
use crate::session::state::{Loss, SessionState};
use crate::transaction::txn::Txn;
use crate::write::attempt::Basis;
use crate::write::draft::{Draft, Stands};
use crate::write::leasing::Leasing;
use crate::write::wanted::{Intent, WantedValue};
use crate::write::write_set::WriteSet;
use crate::write::writer::Writer;
use crate::write::writing::{Writing, end};

/// Just beyond a bound: at the bound itself it is held.
const JUST: Duration = Duration::from_millis(1);

/// What stands at the key of a claim, in the local copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stood {
    /// The map has not seen it yet.
    NotYet,
    /// The claim, under this lease.
    Stands(Option<LeaseId>),
    /// It is gone, or of another life of the log.
    Gone(Loss),
}

/// The map a claim is in, whatever its type.
#[async_trait]
trait Place: Send + Sync {
    fn look(&self, text: &Bytes, created: Position) -> Stood;
    fn let_go(&self, session: &Weak<dyn Leasing>, text: &Bytes);
    /// Deletes it, if it is still the one that was created there.
    async fn delete(&self, bound: Duration, text: &Bytes, created: Position) -> Result<()>;
}

/// A claim that was committed. Dropping it lets it go: the session deletes it in the background.
pub(crate) struct Claimed {
    session: Session,
    place: Arc<dyn Place>,
    map: (globe_log_client::LogId, globe_log_client::Keyspace),
    text: Bytes,
    created: Position,
    /// Until when it may be held at most.
    bound: OnceLock<Moment>,
    /// How often the session had lost its leases before.
    losses: u64,
}

impl Session {
    /// Creates a claim. Of an error that may be committed nothing is left: it is swept.
    ///
    /// # Errors
    /// As [`Globe::create_ephemeral`].
    pub(crate) async fn claim<K: Key, V: Send + Sync + 'static>(
        &self,
        map: &Globe<K, V>,
        key: K,
        value: V,
    ) -> Result<Claimed> {
        let leasing = self.attend(map)?;
        let (bound, basis) = (map.deadline()?, Basis::Exactly);
        let text = map.writer().encode_key(&key)?;
        let losses = self.shared().losses().0;
        let created = map
            .writer()
            .put_leased(bound, &leasing, &key, &value, basis, true);
        let created = match created.await {
            Ok(written) => written.position(),
            // It is committed, and the map will show it.
            Err(error) => match *error.kind() {
                ErrorKind::Behind(position) => position,
                _ => return Err(error),
            },
        };
        Ok(Claimed {
            session: self.clone(),
            place: Arc::new(map.clone()),
            map: (map.log().id(), map.keyspace().clone()),
            text,
            created,
            bound: OnceLock::new(),
            losses,
        })
    }

    /// What all share that stand on this session in one map by one name: made where there is none. It holds the map.
    pub(crate) fn share<K: Key, V: Send + Sync + 'static, T: Any + Send + Sync>(
        &self,
        map: &Globe<K, V>,
        name: &str,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let place = Arc::as_ptr(&map.writer().wanted).addr();
        let mut common = lock(&self.shared().common);
        let entry = (place, name.to_owned());
        let known = common.get(&entry).and_then(Weak::upgrade);
        if let Some(known) = known.and_then(|known| known.downcast::<T>().ok()) {
            return known;
        }
        if common.len().is_power_of_two() {
            common.retain(|_, known| known.strong_count() > 0);
        }
        let made = Arc::new(make());
        let weak: Weak<T> = Arc::downgrade(&made);
        common.insert(entry, weak);
        made
    }

    /// How often it has lost its leases.
    pub(crate) fn losses(&self) -> u64 {
        self.shared().losses().0
    }

    /// A number for a key of this session's that nobody has used.
    pub(crate) fn next_claim(&self) -> String {
        let shared = self.shared();
        format!("{:016x}-{}", shared.number, shared.next_claim())
    }

    /// Waits until claims of this session may be granted: it is live, and for one ttl neither it nor the map has seen another
    /// life of the log begin. Whoever held in the life before has learnt by then that he does not.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) async fn may_grant<K: Key, V: Send + Sync + 'static>(
        &self,
        map: &Globe<K, V>,
    ) -> Result<()> {
        loop {
            self.live().await?;
            match self.grace(map) {
                None => return Ok(()),
                Some(grace) => tokio::time::sleep(grace).await,
            }
        }
    }

    /// Whether claims of this session may be granted now.
    pub(crate) fn grants<K: Key, V: Send + Sync + 'static>(&self, map: &Globe<K, V>) -> bool {
        self.state() == SessionState::Live && self.grace(map).is_none()
    }

    /// How long nothing is granted yet, because the log is in another life: as the session has seen, or, where the session
    /// is new, the map.
    fn grace<K: Key, V: Send + Sync + 'static>(&self, map: &Globe<K, V>) -> Option<Duration> {
        let moved = map.replica().state().moved;
        let of_map = moved.map(|moved| self.ttl().saturating_sub(moved.elapsed()));
        let of_map = of_map.filter(|left| !left.is_zero());
        self.shared().grace().max(of_map)
    }
}

impl Claimed {
    /// It may be held for so long from now on: then it is lost, and after that let go.
    pub(crate) fn hold_at_most(self: &Arc<Self>, time: Duration) {
        if self.bound.set(Moment::now().after(time)).is_err() {
            return;
        }
        let claimed = Arc::downgrade(self);
        self.session.spawn(async move {
            tokio::time::sleep(time + JUST).await;
            if let Some(claimed) = claimed.upgrade() {
                claimed.let_go();
            }
        });
    }

    /// Its key.
    pub(crate) fn key(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// Whether the session has lost its leases since, when it has so many times.
    pub(crate) fn is_outlived(&self, losses: u64) -> bool {
        losses > self.losses
    }

    /// The commit that created it.
    pub(crate) fn created(&self) -> Position {
        self.created
    }

    pub(crate) fn text(&self) -> &Bytes {
        &self.text
    }

    /// Commits a transaction only while this very claim stands.
    ///
    /// # Errors
    /// `NotHeld` unless it is held at this moment; `Invalid` for a transaction of another log.
    pub(crate) fn require_in(&self, txn: &mut Txn<'_>) -> Result<()> {
        if self.state() != SessionState::Live {
            return Err(not_held(&self.text));
        }
        txn.require_claim(&self.map, &self.text, self.created)
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// How it stands, by the map and the clocks of this moment; the clocks last. Once it is lost it stays so.
    pub(crate) fn state(&self) -> SessionState {
        let shared = self.session.shared();
        let stood = self.place.look(&self.text, self.created);
        let state = shared.state();
        match (stood, state) {
            (Stood::Gone(loss), _) => SessionState::Lost(self.why(loss)),
            (Stood::Stands(lease), _) if !is_held(shared, lease) => {
                SessionState::Lost(self.why(Loss::Displaced))
            }
            (_, SessionState::Live) if self.is_over() => SessionState::Lost(Loss::HoldBound),
            (_, SessionState::Lost(loss)) => SessionState::Lost(loss),
            (Stood::NotYet, _) => SessionState::Suspended,
            (Stood::Stands(_), state) => state,
        }
    }

    /// Why it is gone: because the session lost its leases, if it did.
    fn why(&self, otherwise: Loss) -> Loss {
        match self.session.shared().losses() {
            (losses, Some(loss)) if losses > self.losses => loss,
            _ => otherwise,
        }
    }

    fn is_over(&self) -> bool {
        let now = Moment::now();
        self.bound.get().is_some_and(|bound| bound.is_past(now))
    }

    /// How long it may be held yet, if that is bounded.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let bound = self.bound.get()?;
        Some(bound.left(Moment::now()).unwrap_or_default())
    }

    /// Lets it go: it is wanted no more, and swept.
    pub(crate) fn let_go(&self) {
        let shared = self.session.shared();
        self.place.let_go(shared.me(), &self.text);
    }

    /// Deletes it, and waits for that.
    ///
    /// # Errors
    /// `NotHeld` if it was lost before; otherwise as a delete: then it is swept.
    pub(crate) async fn release(&self, bound: Duration) -> Result<()> {
        if matches!(self.state(), SessionState::Lost(_)) {
            self.let_go();
            return Err(not_held(&self.text));
        }
        // It is wanted until it is deleted, so that the session does not sweep it meanwhile.
        let deleted = self.place.delete(bound, &self.text, self.created).await;
        self.let_go();
        deleted.map_err(|error| match error.kind() {
            ErrorKind::Conflict(_) | ErrorKind::EpochChanged => not_held(&self.text),
            _ => error.while_doing(format_args!(
                "releasing {}, which the session goes on to delete",
                String::from_utf8_lossy(&self.text)
            )),
        })
    }
}

/// What was to guard something is not held.
pub(crate) fn not_held(text: &[u8]) -> Error {
    let why = format!("{} is not held any more", String::from_utf8_lossy(text));
    Error::new(ErrorKind::NotHeld, why)
}

fn is_held(shared: &Shared, lease: Option<LeaseId>) -> bool {
    lease.is_some_and(|lease| shared.is_own(lease) == Some(true))
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed")
            .field("key", &self.text)
            .field("created", &self.created)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<K: Key, V: Send + Sync + 'static> Place for Globe<K, V> {
    fn look(&self, text: &Bytes, created: Position) -> Stood {
        if self.replica().has_ended() {
            // Nothing is heard of it any more.
            return Stood::Gone(Loss::Closed);
        }
        let state = self.replica().state();
        if state.position.epoch != created.epoch {
            return Stood::Gone(Loss::EpochChanged);
        }
        if !state.position.covers(created) {
            return Stood::NotYet;
        }
        let key = crate::entry::key::decode_key::<K>(text).ok();
        let entry = key.and_then(|key| state.entries.get(&key).cloned());
        match entry {
            Some(entry) if entry.created().revision() == created.revision => {
                Stood::Stands(entry.lease())
            }
            _ => Stood::Gone(Loss::Displaced),
        }
    }

    fn let_go(&self, session: &Weak<dyn Leasing>, text: &Bytes) {
        self.writer().wanted.let_go(session, text);
    }

    async fn delete(&self, bound: Duration, text: &Bytes, created: Position) -> Result<()> {
        self.writer().delete_since(bound, text, created).await
    }
}

impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Writes over a claim, if it stands still as it was seen. Let go meanwhile, it is wanted no more than before: a plain
    /// `put` would want it as an entry, for good.
    ///
    /// # Errors
    /// As [`Globe::put_if`].
    pub(crate) async fn rewrite_claim(&self, key: &K, seen: &Entry<V>, value: &V) -> Result<()> {
        let (bound, text) = (self.deadline()?, self.writer().encode_key(key)?);
        let draft = self.writer().draft(&text, value, false)?;
        let value = WantedValue::Encoded(draft.bytes());
        let (life, stands) = (seen.version().epoch(), Stands::entry(seen));
        let set = WriteSet::one(Some(life), text.clone(), stands, draft);
        self.writer()
            .write_claim(bound, &text, &set, Intent::Keep { value })
            .await
    }
}

impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Deletes a key, if it is still the one that was created there.
    async fn delete_since(&self, bound: Duration, text: &Bytes, created: Position) -> Result<()> {
        let (stands, draft) = (Stands::Since(created.revision), Draft::Delete);
        let set = WriteSet::one(Some(created.epoch), text.clone(), stands, draft);
        match self.write_claim(bound, text, &set, Intent::Leave).await {
            Err(error) if !matches!(error.kind(), ErrorKind::Behind(_)) => Err(error),
            _ => Ok(()),
        }
    }

    /// A write of one claim.
    async fn write_claim(
        &self,
        bound: Duration,
        text: &Bytes,
        set: &WriteSet,
        intent: Intent,
    ) -> Result<()> {
        let mut committer = self.committer(bound);
        let writing = Writing::begin(&self.wanted, text, intent, set.stands(text));
        let outcome = self.send(&mut committer, set, Basis::Exactly).await;
        end([writing], &outcome);
        outcome.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use globe_memory::MemoryLog;

    use super::*;

    /// Another write of its guard's, that was just about to begin, comes after that.
    #[tokio::test(start_paused = true)]
    async fn a_claim_that_was_let_go_is_not_wanted_again_because_it_was_written_over() {
        let log = MemoryLog::new();
        let map: Globe<String, u64> = Globe::open(log.clone(), "claims").await.unwrap();
        let session = Session::open(log).await.unwrap();
        let claimed = session.claim(&map, "a".to_owned(), 1).await.unwrap();
        let seen = map.get_entry("a").unwrap();
        claimed.let_go();
        let rewritten = map.rewrite_claim(&"a".to_owned(), &seen, &2).await;
        assert!(rewritten.is_ok(), "the session had no turn yet");
        let gone = map.wait_for(|view| view.is_empty());
        let gone = tokio::time::timeout(Duration::from_secs(30), gone).await;
        assert!(gone.is_ok(), "it is swept");
        assert_eq!(session.status().entries, 0);
    }
}
