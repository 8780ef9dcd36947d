//! Attends one map for a session: puts back what is gone, sweeps what nobody wants, yields to others.
//!
//! Never acts on what it remembers: each key is judged by what stands there now, and what is written is guarded by that.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use globe_log_client::{Epoch, Error, ErrorKind, Keyspace, LeaseId, Result, Revision};
use tokio::time::{Instant, sleep_until};

use crate::entry::change::Change;
use crate::entry::key::{Key, decode_key};
use crate::globe::Globe;
use crate::ground::backoff::Backoff;
use crate::ground::pace::Pace;
use crate::ground::sync::{Mutex, lock};
use crate::read::view::View;
use crate::session::attended::{Attended, Restoration, shown};
use crate::session::judgement::{Act, Seen, Want, When, judge};
use crate::session::shared::{Shared, closed};
use crate::session::sight::Sight;
use crate::session::state::{SessionEvent, SessionState};
use crate::write::bulk::Gathered;
use crate::write::draft::{Draft, Guarded, Stands};
use crate::write::due::Due;
use crate::write::guarded::is_refusal;
use crate::write::wanted::{Wanted, WantedValue, Wish};
use crate::write::wanted_keys::WantedKeys;

/// How long one transaction of it may take.
const BOUND: Duration = Duration::from_secs(5);

/// A map in which a session has keys.
pub(crate) struct Attendant<K, V> {
    map: Globe<K, V>,
    session: Weak<Shared>,
    due: Arc<Due>,
}

/// What came of judging a key.
enum Judged {
    Done,
    Write(Guarded),
    /// It has to be looked at again, when the map shows what its own process wrote there.
    Unseen,
}

/// What stands at a key, to judge it and to guard what is written there.
struct Found<V> {
    seen: Seen,
    stands: Stands,
    lease: Option<LeaseId>,
    created: Option<Revision>,
    value: Option<Arc<V>>,
}

impl<V> Found<V> {
    /// Whether what was written here with an outcome that nobody knows may land yet: a copy of it finds what it is sent over.
    fn may_yet_be(&self, wanted: &Wanted) -> bool {
        wanted.over.is_some() && wanted.over == self.stands.revision()
    }
}

impl<K: Key, V: Send + Sync + 'static> Attendant<K, V> {
    pub(crate) fn new(map: &Globe<K, V>, session: &Arc<Shared>) -> Attendant<K, V> {
        Attendant {
            // How long its first user is ready to wait says nothing about the session.
            map: map.with_deadline(BOUND),
            session: Arc::downgrade(session),
            due: Arc::default(),
        }
    }

    /// Begins to hear of the keys this process writes. Called before the first of them is.
    pub(crate) fn listen(&self, session: &Shared) -> Sight<K, V> {
        self.wanted().listen(session.me(), &self.due);
        Sight::new(&self.map)
    }

    /// Attends until the session ends, or the map.
    pub(crate) async fn attend(self: Arc<Self>, session: Arc<Shared>, mut sight: Sight<K, V>) {
        let mut pauses = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
        // What could not be done is tried again then; what else happens is done at once.
        let mut left = BTreeSet::new();
        let mut again = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = session.stop.cancelled() => return,
                changes = sight.next() => {
                    let Some(changes) = changes else { break };
                    self.note(&session, changes.as_slice()).await;
                }
                () = self.due.stirred() => {}
                () = sleep_until(again), if !left.is_empty() => {
                    self.due.add(std::mem::take(&mut left));
                }
            }
            session.seen_in(self.epoch());
            if session.state() != SessionState::Live {
                continue;
            }
            left.extend(self.look(&session, &mut sight).await);
            if left.is_empty() {
                pauses.reset();
            } else if again <= Instant::now() {
                again = Instant::now() + pauses.next();
            }
        }
        session.leave(&*self);
    }

    /// Marks the keys among what has changed that the session has to look at.
    async fn note(&self, session: &Shared, changes: &[Change<K, V>]) {
        let wants_nothing = self.wanted().is_empty();
        let mut pace = Pace::new();
        let mut due = BTreeSet::new();
        for change in changes {
            pace.step().await;
            let lease = change.new().and_then(|new| new.lease());
            let is_own = lease.is_some_and(|lease| session.is_own(lease).is_some());
            if wants_nothing && !is_own {
                continue;
            }
            if let Ok(text) = self.map.writer().encode_key(change.key())
                && (is_own || self.wanted().knows(&text))
            {
                due.insert(text);
            }
        }
        if !due.is_empty() {
            self.due.add(due);
        }
    }

    /// Looks at the keys that are due; returns those that have to be looked at again after a pause.
    async fn look(&self, session: &Shared, sight: &mut Sight<K, V>) -> BTreeSet<Bytes> {
        let (view, changes) = sight.now();
        self.note(session, &changes).await;
        let due = self.due.take();
        if due.is_empty() {
            return due;
        }
        let done = self.settle(session, &view, due, When::Live, None).await;
        done.unwrap_or_else(|(left, error)| {
            tracing::debug!(keyspace = %self.map.keyspace(), reason = %error, "keys of a session are still to be settled");
            if matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::EpochChanged) {
                session.called.notify_one();
            }
            left
        })
    }

    /// Does what has to be done about some keys. What is left of them has changed meanwhile, or could not be done. What was put
    /// back is due once more: somebody may have deleted it before it was seen.
    async fn settle(
        &self,
        session: &Shared,
        view: &View<K, V>,
        keys: BTreeSet<Bytes>,
        when: When,
        found: Option<&Mutex<Restoration>>,
    ) -> std::result::Result<BTreeSet<Bytes>, (BTreeSet<Bytes>, Error)> {
        let Some(life) = session
            .epoch()
            .filter(|life| view.state.epoch() == Some(*life))
        else {
            let why = "the map shows another life of the log than the session is in";
            return Err((keys, Error::new(ErrorKind::EpochChanged, why)));
        };
        let (mut writes, mut left, mut why) = (Gathered::new(), BTreeSet::new(), None);
        let mut pace = Pace::new();
        for text in keys {
            pace.step().await;
            match self.judge(session, view, &text, when, found) {
                Ok(Judged::Write(guarded)) => drop(writes.insert(text, guarded)),
                Ok(Judged::Done) => {}
                Ok(Judged::Unseen) => drop(left.insert(text)),
                Err(error) if *error.kind() == ErrorKind::Codec => {
                    // It will not be any better when it is tried again.
                    tracing::warn!(reason = %error, "an entry cannot be put back");
                    if self.wanted().forget(session.me(), &text) {
                        self.displaced(session, &text, found);
                    }
                }
                Err(error) => {
                    left.insert(text);
                    why = Some(error);
                }
            }
        }
        let (put, keyspace) = (put_by(&writes), self.map.keyspace());
        let sorted = self.map.writer().commit_guarded(BOUND, life, writes).await;
        if let Some(found) = found {
            let mut found = lock(found);
            for text in put.intersection(&sorted.committed) {
                found.put_back(keyspace, text);
            }
        }
        self.due.add(put.intersection(&sorted.committed).cloned());
        left.extend(sorted.refused);
        left.extend(sorted.left);
        match why.or(sorted.error) {
            None => Ok(left),
            Some(error) => Err((left, error)),
        }
    }

    /// What has to be written at a key.
    fn judge(
        &self,
        session: &Shared,
        view: &View<K, V>,
        text: &Bytes,
        when: When,
        restoration: Option<&Mutex<Restoration>>,
    ) -> Result<Judged> {
        let found = self.find(session, view, text);
        let wish = self.wanted().wish(session.me(), text, view.position());
        let (want, wanted) = match wish {
            Wish::Unseen => return Ok(Judged::Unseen),
            Wish::None => (Want::Nothing, None),
            Wish::UnderWay => (Want::Later, None),
            Wish::Wanted(wanted) if wanted.claim.is_some() => {
                let stands = wanted.claim == found.created;
                (Want::Claim { stands }, None)
            }
            // Nobody wanted what it is sent over: it is what another write left behind, or is deleted, and that not seen yet.
            Wish::Wanted(wanted) if found.may_yet_be(&wanted) && found.seen == Seen::Mine => {
                (Want::Nothing, None)
            }
            Wish::Wanted(wanted) if found.may_yet_be(&wanted) => (Want::Later, None),
            Wish::Wanted(wanted) if wanted.is_sure => (Want::Entry, Some(wanted)),
            Wish::Wanted(wanted) => (Want::Unsure, Some(wanted)),
        };
        match judge(want, found.seen, session.settings.policy, when) {
            Act::Nothing => {}
            Act::Follow => {
                if let Some(restoration) = restoration {
                    lock(restoration).stands(self.map.keyspace(), text);
                }
                self.follow(session, text, found);
            }
            Act::Forget => {
                self.wanted().forget(session.me(), text);
            }
            Act::Yield => {
                if found.seen == Seen::Nothing {
                    // It may have gone with its lease, and no write of this session's will be told so.
                    session.called.notify_one();
                }
                if self.wanted().forget(session.me(), text) {
                    self.displaced(session, text, restoration);
                }
            }
            // Another map of the keyspace looks after it.
            Act::Sweep if session.is_known_to_another(self, text) => {}
            Act::Sweep => {
                let (stands, draft) = (found.stands, Draft::Delete);
                return Ok(Judged::Write(Guarded { stands, draft }));
            }
            Act::PutBack => {
                let guarded = self.put_back(session, text, found, wanted);
                return guarded.map(Judged::Write);
            }
        }
        Ok(Judged::Done)
    }

    /// What stands at a key.
    fn find(&self, session: &Shared, view: &View<K, V>, text: &Bytes) -> Found<V> {
        let bad = view.state.quarantine.get(text);
        let entry = decode_key::<K>(text).ok();
        let entry = entry.and_then(|key| view.get_entry(&key).cloned());
        let stands = match (bad, &entry) {
            (Some(bad), _) => Stands::bad(bad),
            (None, Some(entry)) => Stands::entry(entry),
            (None, None) => Stands::Nothing,
        };
        let lease = stands.lease();
        let seen = match (stands, lease.map(|lease| session.is_own(lease))) {
            (Stands::Nothing, _) => Seen::Nothing,
            (_, None) => Seen::Permanent,
            (_, Some(None)) => Seen::Others,
            (_, Some(Some(true))) => Seen::Mine,
            (_, Some(Some(false))) => Seen::Formerly,
        };
        Found {
            seen,
            stands,
            lease,
            created: entry.as_ref().map(|entry| entry.created().revision()),
            value: entry.map(|entry| Arc::clone(entry.value())),
        }
    }

    /// What stands there is what is wanted from now on.
    fn follow(&self, session: &Shared, text: &Bytes, found: Found<V>) {
        if let (Some(lease), Some(value)) = (found.lease, found.value) {
            let life = session.epoch().unwrap_or_default();
            let value = WantedValue::Decoded(value);
            self.wanted()
                .follow(session.me(), text, (lease, life), value);
        }
    }

    /// The write that puts an entry back: with the value that still stands there, or the one that was seen last. What a
    /// restore brought back is older than that.
    fn put_back(
        &self,
        session: &Shared,
        text: &Bytes,
        found: Found<V>,
        wanted: Option<Wanted>,
    ) -> Result<Guarded> {
        let is_of_life = wanted.as_ref().map(|wanted| wanted.life) == session.epoch();
        let standing = found
            .value
            .filter(|_| found.seen == Seen::Formerly && is_of_life);
        let standing = standing.map(|value| WantedValue::Decoded(value));
        let encoded = match standing.or(wanted.map(|wanted| wanted.value)) {
            Some(value) => self.encode(text, value)?,
            None => return Err(self.cannot(text, "has no value to put back")),
        };
        let Some(lease) = session.pick(None) else {
            let why = "the session has no lease to put its entries back under";
            return Err(Error::new(ErrorKind::Unavailable, why));
        };
        Ok(Guarded {
            stands: found.stands,
            draft: Draft::PutLeased(encoded, lease.id),
        })
    }

    /// A value as it is sent. A codec of the caller's that panics fails alone.
    fn encode(&self, text: &Bytes, value: WantedValue) -> Result<Bytes> {
        let value = match value {
            WantedValue::Encoded(bytes) => return Ok(bytes),
            WantedValue::Decoded(value) => value.downcast::<V>(),
        };
        let value = value.map_err(|_| self.cannot(text, "is of another type"))?;
        let encode = || self.map.writer().draft(text, &value, false);
        let encoded = catch_unwind(AssertUnwindSafe(encode));
        let encoded = encoded.unwrap_or_else(|_| Err(self.cannot(text, "panics its codec")));
        Ok(encoded?.bytes())
    }

    fn cannot(&self, text: &Bytes, why: &str) -> Error {
        let why = format!("{} {why}", self.map.writer().name(text));
        Error::new(ErrorKind::Codec, why)
    }

    /// Somebody else's record stands where one of the session's did.
    fn displaced(&self, session: &Shared, text: &Bytes, restoration: Option<&Mutex<Restoration>>) {
        let keyspace = self.map.keyspace();
        match restoration {
            Some(restoration) => lock(restoration).kept_out(keyspace, text),
            None => session.tell(SessionEvent::Displaced {
                keyspace: keyspace.clone(),
                key: shown(text),
            }),
        }
    }
}

/// The keys that are put, and not deleted.
fn put_by(writes: &Gathered) -> BTreeSet<Bytes> {
    let put = writes.iter().filter(|(_, guarded)| guarded.draft.is_put());
    put.map(|(text, _)| text.clone()).collect()
}

#[async_trait]
impl<K: Key, V: Send + Sync + 'static> Attended for Attendant<K, V> {
    fn wanted(&self) -> &Arc<WantedKeys> {
        &self.map.writer().wanted
    }

    fn keyspace(&self) -> &Keyspace {
        self.map.keyspace()
    }

    fn epoch(&self) -> Option<Epoch> {
        self.map.view().state.epoch()
    }

    async fn sync(&self) -> Result<()> {
        self.map.sync().await.map(drop)
    }

    async fn restore(&self, found: &Mutex<Restoration>) -> Result<()> {
        let Some(session) = self.session.upgrade() else {
            return Err(closed());
        };
        self.map.sync().await?;
        let mut left = self.wanted().all_of(session.me());
        while !left.is_empty() {
            let view = self.map.view();
            // What comes and goes after this view, of keys judged by it, is no change to who attends.
            self.due.add(left.iter().cloned());
            let settled = self
                .settle(&session, &view, left, When::Restoring, Some(found))
                .await;
            left = match settled {
                Ok(left) => left,
                // The log wants to have nothing of them: the others are not to wait for that.
                Err((left, error)) if is_refusal(&error) => {
                    self.due.add(left);
                    return Ok(());
                }
                Err((_, error)) => return Err(error),
            };
            if !left.is_empty() {
                self.map.sync().await?;
            }
        }
        Ok(())
    }

    fn stir(&self) {
        self.due.stir();
    }
}
