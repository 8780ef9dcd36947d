//! Which keys of a map the sessions of this process want to stand, and with which value.
//!
//! Never writes a key: a session puts back what is gone. It only keeps what is wanted true to what this process itself
//! writes, so that nothing is put back that its own caller deleted.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use globe_log_client::{Epoch, LeaseId, Position, Result, Revision};

use crate::ground::sync::{Mutex, MutexGuard, lock};
use crate::write::attempt::Outcome;
use crate::write::due::{Due, tell};
use crate::write::ending::{Ending, ending};
use crate::write::leasing::Leasing;
use crate::write::write_set::Stands;

/// A value, of whatever type the map has.
pub(crate) type AnyValue = Arc<dyn Any + Send + Sync>;

/// What is to stand at a key: a value that was seen there, or as it was sent.
#[derive(Clone)]
pub(crate) enum WantedValue {
    Decoded(AnyValue),
    Encoded(Bytes),
}

/// The wanted keys of one map, by their text in the log.
#[derive(Default)]
pub(crate) struct WantedKeys {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    keys: HashMap<Bytes, Row>,
    listeners: Vec<Weak<Due>>,
}

/// One key that a session wrote, or is writing.
struct Row {
    session: Weak<dyn Leasing>,
    /// Under which it was last sent.
    lease: LeaseId,
    /// What is to stand there; nothing while it is only being written.
    wanted: Option<Wanted>,
    /// Another session, which wrote it as well, and nobody knows whether it did: what it left there is not to be swept.
    heir: Option<Weak<dyn Leasing>>,
    /// How many writes of it have no answer yet. Meanwhile nobody judges it.
    under_way: usize,
    /// The newest write of this process that decided about it.
    decided: Option<Position>,
}

/// What is to stand at a key.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) value: WantedValue,
    /// False after a write whose outcome is not known: then what the tail shows counts.
    pub(crate) is_sure: bool,
    /// The life of the log it is from.
    pub(crate) life: Epoch,
    /// Of a claim, the commit that created it: it counts only while that stands, and is never put back.
    pub(crate) claim: Option<Revision>,
    /// Of a write whose outcome is not known, what it was sent over: as long as that stands it may land, and no longer.
    pub(crate) over: Option<Revision>,
}

/// What a session knows of a key, when it judges what stands there.
#[derive(Clone)]
pub(crate) enum Wish {
    /// It wants nothing there.
    None,
    /// A write of its own is under way: what stands there will be judged after that.
    UnderWay,
    /// What was written last is not to be seen yet: nothing can be said before it is.
    Unseen,
    Wanted(Wanted),
}

/// What a write is about to do to a key.
pub(crate) enum Intent {
    /// It is to stand there as long as the session does.
    Want {
        session: Weak<dyn Leasing>,
        lease: LeaseId,
        /// The life of the log it is to be written in.
        life: Epoch,
        value: WantedValue,
        is_claim: bool,
    },
    /// It gets another value, under the lease it has.
    Keep { value: WantedValue },
    /// The caller deletes it, or takes it off its lease.
    Leave,
}

impl WantedKeys {
    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// A session that hears of this map's keys from now on.
    pub(crate) fn listen(&self, due: &Arc<Due>) {
        self.table().listeners.push(Arc::downgrade(due));
    }

    /// A write begins; nothing to do for one that keeps or leaves a key nobody wants.
    pub(crate) fn begin(self: &Arc<Self>, text: &Bytes, intent: Intent) -> Option<Writing> {
        let mut table = self.table();
        match &intent {
            Intent::Want { session, lease, .. } => {
                let row = table.keys.entry(text.clone()).or_insert_with(|| Row {
                    session: Weak::clone(session),
                    lease: *lease,
                    wanted: None,
                    heir: None,
                    under_way: 0,
                    decided: None,
                });
                row.under_way += 1;
                row.lease = *lease;
            }
            Intent::Keep { .. } | Intent::Leave => table.keys.get_mut(text)?.under_way += 1,
        }
        drop(table);
        Some(Writing {
            keys: Arc::clone(self),
            text: text.clone(),
            intent,
            over: Stands::Nothing,
            ending: Ending::Unknown,
        })
    }

    /// The session that wants a key. Of what it only may come to want it is none.
    pub(crate) fn session_of(&self, text: &[u8]) -> Option<Arc<dyn Leasing>> {
        let table = self.table();
        let row = table.keys.get(text)?;
        row.wanted.as_ref().filter(|wanted| wanted.over.is_none())?;
        row.session.upgrade()
    }

    /// Whether some session writes or wants a key.
    pub(crate) fn knows(&self, text: &[u8]) -> bool {
        self.table().keys.contains_key(text)
    }

    /// Whether sessions want nothing in this map, so that a write need not look.
    pub(crate) fn is_empty(&self) -> bool {
        self.table().keys.is_empty()
    }

    /// What a session wants of a key, when it looks at a view of that position.
    pub(crate) fn wish(&self, session: &Weak<dyn Leasing>, text: &[u8], seen: Position) -> Wish {
        let table = self.table();
        match table.keys.get(text) {
            Some(row) if row.under_way > 0 => Wish::UnderWay,
            Some(row) if row.is_unseen(seen) => Wish::Unseen,
            Some(row) if row.is_of(session) => row.wanted.clone().map_or(Wish::None, Wish::Wanted),
            // Its turn comes when the other one yields.
            Some(row) if row.is_left_to(session) => Wish::UnderWay,
            _ => Wish::None,
        }
    }

    /// The key stands under a lease of the session: what it wants is that from now on.
    pub(crate) fn follow(
        &self,
        session: &Weak<dyn Leasing>,
        text: &[u8],
        (lease, life): (LeaseId, Epoch),
        value: WantedValue,
    ) {
        let mut table = self.table();
        let row = table.keys.get_mut(text).filter(|row| row.is_of(session));
        let before = row.and_then(|row| {
            let wanted = row.wanted.as_mut()?;
            row.lease = lease;
            (wanted.is_sure, wanted.life, wanted.over) = (true, life, None);
            Some(std::mem::replace(&mut wanted.value, value))
        });
        drop(table);
        drop(before);
    }

    /// Lets a key go that stands there perhaps: it is wanted no more, and the session sweeps it.
    pub(crate) fn let_go(&self, session: &Weak<dyn Leasing>, text: &Bytes) {
        self.forget(session, text);
        let listeners = self.table().listeners();
        tell(&listeners, [text.clone()]);
    }

    /// A session wants a key no more; whether nobody does.
    pub(crate) fn forget(&self, session: &Weak<dyn Leasing>, text: &Bytes) -> bool {
        let mut table = self.table();
        let Some(row) = table.keys.get_mut(text).filter(|row| row.is_of(session)) else {
            return true;
        };
        let before = row.yields();
        let is_over = row.wanted.is_none();
        table.tidy(text);
        let listeners = table.listeners();
        drop(table);
        drop(before);
        if !is_over {
            tell(&listeners, [text.clone()]);
        }
        is_over
    }

    /// All keys a session wants.
    pub(crate) fn all_of(&self, session: &Weak<dyn Leasing>) -> BTreeSet<Bytes> {
        let table = self.table();
        let keys = table.keys.iter().filter(|(_, row)| row.is_of(session));
        let wanted = keys.filter(|(_, row)| row.wanted.is_some());
        wanted.map(|(text, _)| text.clone()).collect()
    }

    /// How many keys a session wants, without those that it only may come to want.
    pub(crate) fn len_of(&self, session: &Weak<dyn Leasing>) -> usize {
        let table = self.table();
        let rows = table.keys.values().filter(|row| row.is_of(session));
        let wanted = rows.filter_map(|row| row.wanted.as_ref());
        wanted.filter(|wanted| wanted.over.is_none()).count()
    }

    /// How many keys a session writes or wants under each lease.
    pub(crate) fn count(&self, session: &Weak<dyn Leasing>, loads: &mut HashMap<LeaseId, usize>) {
        for row in self.table().keys.values() {
            if row.is_of(session) {
                *loads.entry(row.lease).or_default() += 1;
            }
        }
    }

    /// A session has ended: it wants nothing any more.
    pub(crate) fn clear(&self, session: &Weak<dyn Leasing>) {
        self.clear_where(session, |_| true);
    }

    /// A session has lost its leases: its claims are lost for good.
    pub(crate) fn clear_claims(&self, session: &Weak<dyn Leasing>) {
        self.clear_where(session, |wanted| wanted.claim.is_some());
    }

    fn clear_where(&self, session: &Weak<dyn Leasing>, which: impl Fn(&Wanted) -> bool) {
        let (mut gone, mut left) = (Vec::new(), Vec::new());
        let mut table = self.table();
        for (text, row) in &mut table.keys {
            row.heir.take_if(|heir| Weak::ptr_eq(heir, session));
            if row.is_of(session) && row.wanted.as_ref().is_some_and(&which) {
                gone.extend(row.yields());
                left.extend(row.wanted.is_some().then(|| text.clone()));
            }
        }
        table.keys.retain(|_, row| !row.is_over());
        let listeners = table.listeners();
        drop(table);
        tell(&listeners, left);
        // Values are the user's, and so is what runs when they are dropped.
        drop(gone);
    }
}

impl Table {
    /// Who is to look at what has changed here.
    fn listeners(&mut self) -> Vec<Arc<Due>> {
        self.listeners.retain(|due| due.strong_count() > 0);
        self.listeners.iter().filter_map(Weak::upgrade).collect()
    }

    /// Keeps nothing of a key that nobody wants or writes.
    fn tidy(&mut self, text: &[u8]) {
        if self.keys.get(text).is_some_and(Row::is_over) {
            self.keys.remove(text);
        }
    }
}

impl Row {
    fn is_of(&self, session: &Weak<dyn Leasing>) -> bool {
        Weak::ptr_eq(&self.session, session)
    }

    fn is_left_to(&self, session: &Weak<dyn Leasing>) -> bool {
        let heir = self.heir.as_ref();
        heir.is_some_and(|heir| Weak::ptr_eq(heir, session))
    }

    /// Its session wants it no more: if another one may have written it, what stands there counts for that one. Returns what
    /// was wanted, to be dropped outside of any lock.
    fn yields(&mut self) -> Option<Wanted> {
        match (self.heir.take(), &mut self.wanted) {
            (Some(heir), Some(wanted)) => {
                self.session = heir;
                wanted.is_sure = false;
                None
            }
            _ => self.wanted.take(),
        }
    }

    fn is_over(&self) -> bool {
        self.wanted.is_none() && self.under_way == 0
    }

    /// Whether what decided last came after a position, in the same life.
    fn is_unseen(&self, seen: Position) -> bool {
        let decided = self.decided.filter(|decided| decided.epoch == seen.epoch);
        decided.is_some_and(|decided| !seen.covers(decided))
    }

    /// Whether a write committed there is newer than what decided last.
    fn is_newer(&self, position: Position) -> bool {
        !self.decided.is_some_and(|decided| decided.covers(position))
    }
}

/// A write of a key that is under way. Dropped before it was told how it ended, nobody knows.
#[must_use]
pub(crate) struct Writing {
    keys: Arc<WantedKeys>,
    text: Bytes,
    intent: Intent,
    /// What it is sent over.
    pub(crate) over: Stands,
    ending: Ending,
}

impl Writing {
    pub(crate) fn end(mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Held until the table is not: it may be the last one.
        let session = match &self.intent {
            Intent::Want { session, .. } => session.upgrade(),
            Intent::Keep { .. } | Intent::Leave => None,
        };
        let mut table = self.keys.table();
        let Some(row) = table.keys.get_mut(&self.text) else {
            return;
        };
        row.under_way -= 1;
        // Asked here: a session that ends after this clears what it wants.
        let is_over = session.as_ref().is_none_or(|session| session.is_over());
        let before = match &self.intent {
            // What it wrote goes with its leases.
            Intent::Want { .. } if is_over => None,
            intent => row.end(intent, self.over, self.ending),
        };
        table.tidy(&self.text);
        let listeners = table.listeners();
        drop(table);
        drop(before);
        tell(&listeners, [self.text.clone()]);
    }
}

impl Row {
    /// What is wanted after a write has ended; returns what was wanted before, to be dropped outside of any lock.
    fn end(&mut self, intent: &Intent, over: Stands, ending: Ending) -> Option<Wanted> {
        match (intent, ending) {
            (
                Intent::Want {
                    session,
                    value,
                    is_claim,
                    ..
                },
                Ending::Committed(at),
            ) if self.is_newer(at) => {
                self.decided = Some(at);
                self.session = Weak::clone(session);
                self.heir = None;
                self.wanted.replace(Wanted {
                    value: value.clone(),
                    is_sure: true,
                    life: at.epoch,
                    claim: is_claim.then_some(at.revision),
                    over: None,
                })
            }
            (Intent::Keep { value }, Ending::Committed(at)) if self.is_newer(at) => {
                self.decided = Some(at);
                let wanted = self.wanted.as_ref()?;
                let (claim, is_sure) = (wanted.claim, wanted.over.is_none());
                self.wanted.replace(Wanted {
                    value: value.clone(),
                    is_sure,
                    life: at.epoch,
                    claim,
                    over: None,
                })
            }
            (Intent::Leave, Ending::Committed(at)) if self.is_newer(at) => {
                self.decided = Some(at);
                self.heir = None;
                self.wanted.take()
            }
            // What a create left behind that nobody knows of is swept, if it is there; what was rewritten is not.
            (
                Intent::Want {
                    session,
                    value,
                    life,
                    ..
                },
                Ending::Unknown,
            ) if over != Stands::Nothing && self.wanted.is_none() => {
                self.session = Weak::clone(session);
                self.wanted.replace(Wanted {
                    value: value.clone(),
                    is_sure: false,
                    life: *life,
                    claim: None,
                    over: over.revision(),
                })
            }
            (Intent::Want { session, .. }, Ending::Unknown)
                if self.wanted.is_some() && !self.is_of(session) =>
            {
                self.heir = Some(Weak::clone(session));
                None
            }
            (Intent::Leave, Ending::Unknown) => {
                if let Some(wanted) = &mut self.wanted {
                    wanted.is_sure = false;
                }
                None
            }
            _ => None,
        }
    }
}

/// Tells what became of writes that were under way.
pub(crate) fn end(writings: impl IntoIterator<Item = Option<Writing>>, outcome: &Result<Outcome>) {
    let ending = ending(outcome);
    for writing in writings.into_iter().flatten() {
        writing.end(ending);
    }
}
