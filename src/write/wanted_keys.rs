//! Which keys of a map the sessions of this process want to stand, and with which value.
//!
//! Never writes a key: a session puts back what is gone. It only keeps what is wanted true to what this process itself
//! writes, so that nothing is put back that its own caller deleted.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use globe_log_client::{Epoch, LeaseId, Position};

use crate::ground::sync::{Mutex, MutexGuard, lock};
use crate::write::draft::Stands;
use crate::write::due::{Due, tell};
use crate::write::ending::Ending;
use crate::write::leasing::Leasing;
use crate::write::wanted::{Intent, Wanted, WantedValue, Wish};
use crate::write::wanted_row::Row;

/// The wanted keys of one map, by their text in the log.
#[derive(Default)]
pub(crate) struct WantedKeys {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    keys: HashMap<Bytes, Row>,
    listeners: Vec<Listener>,
}

/// A session that attends the map.
struct Listener {
    session: Weak<dyn Leasing>,
    due: Weak<Due>,
}

impl WantedKeys {
    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// A session that hears of this map's keys from now on.
    pub(crate) fn listen(&self, session: &Weak<dyn Leasing>, due: &Arc<Due>) {
        let (session, due) = (Weak::clone(session), Arc::downgrade(due));
        self.table().listeners.push(Listener { session, due });
    }

    /// Whether no session has to do with this map, so that a write need not look.
    pub(crate) fn is_unheard(&self) -> bool {
        let table = self.table();
        table.listeners.is_empty() && table.keys.is_empty()
    }

    /// A write begins; whether there is anything to tell of its end: not of one that keeps or leaves a key nobody wants.
    pub(crate) fn begin(&self, text: &Bytes, intent: &Intent) -> bool {
        let mut table = self.table();
        if let Intent::Want { session, lease, .. } = intent {
            let row = table.keys.entry(text.clone());
            row.or_insert_with(|| Row::new(session, *lease)).lease = *lease;
        }
        let row = table.keys.get_mut(text);
        row.map(|row| row.under_way += 1).is_some()
    }

    /// A write that was begun has ended.
    pub(crate) fn end(&self, text: &Bytes, intent: &Intent, over: Stands, ending: Ending) {
        // Held until the table is not: it may be the last one.
        let session = match intent {
            Intent::Want { session, .. } => session.upgrade(),
            Intent::Keep { .. } | Intent::Leave => None,
        };
        let mut table = self.table();
        let Some(row) = table.keys.get_mut(text) else {
            return;
        };
        row.under_way -= 1;
        // Asked here: a session that ends after this clears what it wants.
        let is_over = session.as_ref().is_none_or(|session| session.is_over());
        let before = match intent {
            // What it wrote goes with its leases.
            Intent::Want { .. } if is_over => None,
            intent => row.end(intent, over, ending),
        };
        table.tidy(text);
        let listeners = table.listeners();
        drop(table);
        drop(before);
        tell(&listeners, [text.clone()]);
    }

    /// The session that wants a key. Of what it only may come to want it is none.
    pub(crate) fn session_of(&self, text: &[u8]) -> Option<Arc<dyn Leasing>> {
        let table = self.table();
        let row = table.keys.get(text)?;
        row.wanted.as_ref().filter(|wanted| wanted.over.is_none())?;
        row.session.upgrade()
    }

    /// The session that a put stays with, although its caller names none: the one that wants the key. Where something stands
    /// under a lease, which a put keeps, it is the owner of that, also if it does not know of the key, or not for sure: else
    /// it would sweep what is put there, or let it go with a lease that it has lost. Not of a claim, which stays one.
    pub(crate) fn stays_with(
        &self,
        text: &[u8],
        bound: Option<LeaseId>,
    ) -> Option<Arc<dyn Leasing>> {
        match bound {
            Some(_) if self.is_claim(text) => None,
            Some(lease) => self.attending().into_iter().find(|it| it.owns(lease)),
            None => self.session_of(text),
        }
    }

    fn is_claim(&self, text: &[u8]) -> bool {
        let table = self.table();
        let wanted = table.keys.get(text).and_then(|row| row.wanted.as_ref());
        wanted.is_some_and(|wanted| wanted.claim.is_some())
    }

    /// The sessions that attend the map.
    fn attending(&self) -> Vec<Arc<dyn Leasing>> {
        let table = self.table();
        let attending = table.listeners.iter();
        let attending = attending.filter(|it| it.due.strong_count() > 0);
        attending.filter_map(|it| it.session.upgrade()).collect()
    }

    /// Whether some session writes or wants a key.
    pub(crate) fn knows(&self, text: &[u8]) -> bool {
        self.table().keys.contains_key(text)
    }

    /// Whether sessions want nothing in this map.
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
        self.listeners.retain(|it| it.due.strong_count() > 0);
        let due = self.listeners.iter().map(|it| &it.due);
        due.filter_map(Weak::upgrade).collect()
    }

    /// Keeps nothing of a key that nobody wants or writes.
    fn tidy(&mut self, text: &[u8]) {
        if self.keys.get(text).is_some_and(Row::is_over) {
            self.keys.remove(text);
        }
    }
}
