//! Who is listed, kept by the one who follows the map: each step of the log through the guard.
//!
//! Never looks at a clock or a map: it is told what happened, and when.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use imbl::OrdMap;
use serde::Serialize;
use tokio::time::Instant;

use crate::recipes::registry::key::names_in;
use crate::recipes::registry::listing::Listing;
use crate::recipes::registry::member::State;
use crate::recipes::registry::penalty::Load;
use crate::recipes::registry::record::Record;
use crate::recipes::registry::roster::{Listed, Roster};
use crate::recipes::registry::vanish::{Guard, Vanish};
use crate::{Change, Entry, Position, View};

pub(crate) struct Book<T> {
    rule: Vanish,
    /// Since when the log is there without a break.
    live: Option<Instant>,
    desks: HashMap<String, Desk<T>>,
    /// The keys that are no member's.
    misnamed: HashSet<String>,
    services: OrdMap<String, Arc<Roster<T>>>,
    /// The services whose desks are ahead of what is in `services`.
    touched: BTreeSet<String>,
    number: u64,
    /// Of what position the last listing was made, if any was.
    listed: Option<Position>,
}

/// What is known of one service.
struct Desk<T> {
    roster: Roster<T>,
    guard: Guard<Arc<Listed<T>>>,
}

/// Who went from one service, by id.
type Went<T> = Vec<(String, Arc<Listed<T>>)>;

impl<T> Default for Desk<T> {
    fn default() -> Desk<T> {
        Desk {
            roster: Roster::default(),
            guard: Guard::default(),
        }
    }
}

impl<T: Serialize> Book<T> {
    pub(crate) fn new(rule: Vanish) -> Book<T> {
        Book {
            rule,
            live: None,
            desks: HashMap::new(),
            misnamed: HashSet::new(),
            services: OrdMap::new(),
            touched: BTreeSet::new(),
            // The first listing is of nothing.
            number: 1,
            listed: None,
        }
    }

    /// Takes in what stands, in turns: nobody can have vanished before.
    pub(crate) async fn fill(&mut self, view: &View<String, Record<T>>) {
        for (number, (key, entry)) in view.iter().enumerate() {
            self.put(key, entry);
            pause(number).await;
        }
    }

    /// One step, in turns: all that went in it went together.
    pub(crate) async fn step(&mut self, changes: &[Change<String, Record<T>>], now: Instant) {
        let mut went: HashMap<String, Went<T>> = HashMap::new();
        for (number, change) in changes.iter().enumerate() {
            pause(number).await;
            match (change.old(), change.new()) {
                (_, Some(entry)) => self.put(change.key(), entry),
                (old, None) => {
                    let is_drained = old.is_some_and(|old| old.state == State::Draining);
                    let gone = self.remove(change.key());
                    if let Some((service, id, listed)) = gone.filter(|_| !is_drained) {
                        went.entry(service).or_default().push((id, listed));
                    }
                }
            }
        }
        for (service, went) in went {
            self.guard(&service, went, now);
        }
    }

    fn guard(&mut self, service: &str, went: Went<T>, now: Instant) {
        let rule = self.rule;
        let desk = self.desk(service);
        let stay = desk.roster.steady();
        let held = desk.guard.go(&rule, now, went, stay);
        for (id, listed) in &held {
            desk.roster.insert(id, listed.held_since(Some(now)));
        }
        if !held.is_empty() {
            let count = held.len();
            tracing::warn!(
                service,
                count,
                "members vanished all at once: they are held back"
            );
        }
    }

    fn desk(&mut self, service: &str) -> &mut Desk<T> {
        self.touched.insert(service.to_owned());
        self.desks.entry(service.to_owned()).or_default()
    }

    fn put(&mut self, key: &str, entry: &Entry<Record<T>>) {
        let Some((service, id)) = names_in(key) else {
            self.misnamed.insert(key.to_owned());
            return;
        };
        let desk = self.desk(&service);
        desk.guard.back(&id);
        let known = desk.roster.get(&id).cloned();
        let created = entry.created();
        let member = match &known {
            Some(known) if entry.says_no_more_than(&known.member) => Arc::clone(&known.member),
            _ => Arc::new(entry.member(&id)),
        };
        let is_known = |known: &Arc<Listed<T>>| {
            known.created == created || Arc::ptr_eq(&known.member, &member)
        };
        let load = match known.filter(is_known) {
            Some(known) => Arc::clone(&known.load),
            None => Arc::new(Load::new(&desk.roster.ward)),
        };
        let listed = Listed {
            member,
            load,
            created,
            held: None,
        };
        desk.roster.insert(&id, listed);
    }

    fn remove(&mut self, key: &str) -> Option<(String, String, Arc<Listed<T>>)> {
        let Some((service, id)) = names_in(key) else {
            self.misnamed.remove(key);
            return None;
        };
        let listed = self.desk(&service).roster.remove(&id)?;
        listed.load.forgive();
        Some((service, id, listed))
    }

    /// Time has passed.
    pub(crate) fn pass(&mut self, now: Instant) {
        let (rule, live) = (self.rule, self.live);
        let (desks, touched) = (&mut self.desks, &mut self.touched);
        for (service, desk) in desks.iter_mut().filter(|(_, desk)| !desk.guard.is_empty()) {
            let due = desk.guard.due(&rule, now, live);
            if !due.is_empty() {
                let count = due.len();
                tracing::warn!(service, count, "members that were held back are let go");
                touched.insert(service.clone());
            }
            due.iter().for_each(|id| desk.let_go(id));
        }
    }

    /// The log is there from now on, or away.
    pub(crate) fn set_live(&mut self, live: Option<Instant>) {
        self.live = live;
    }

    /// Follows what is held back of a service.
    pub(crate) fn accept(&mut self, service: &str) {
        let Some(desk) = self.desks.get_mut(service) else {
            return;
        };
        for id in desk.guard.accept() {
            desk.let_go(&id);
        }
        self.touched.insert(service.to_owned());
    }

    /// When to say again that time has passed, if nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let desks = self.desks.values();
        let deadlines = desks.filter_map(|desk| desk.guard.deadline(&self.rule, self.live));
        deadlines.min()
    }

    /// Whether something is to be listed that is not yet.
    pub(crate) fn has_news(&self, view: &View<String, Record<T>>) -> bool {
        !self.touched.is_empty() || self.listed != Some(view.position())
    }

    /// What is listed now, of this view of the map.
    pub(crate) fn listing(
        &mut self,
        view: View<String, Record<T>>,
        proved: Option<Instant>,
    ) -> Listing<T> {
        for service in std::mem::take(&mut self.touched) {
            let Some(desk) = self.desks.get(&service) else {
                continue;
            };
            let is_empty = desk.roster.is_empty();
            if is_empty && desk.guard.is_empty() {
                self.desks.remove(&service);
                self.services.remove(&service);
            } else {
                let roster = Arc::new(desk.roster.clone());
                self.services.insert(service, roster);
            }
        }
        self.number += 1;
        self.listed = Some(view.position());
        let (services, misnamed) = (self.services.clone(), self.misnamed.len());
        Listing::new(self.number, view, services, misnamed, proved)
    }
}

/// Lets others have their turn now and then: so many records take less than a millisecond.
async fn pause(number: usize) {
    if number % 256 == 255 {
        tokio::task::yield_now().await;
    }
}

impl<T> Desk<T> {
    fn let_go(&mut self, id: &str) {
        if let Some(listed) = self.roster.remove(id) {
            listed.load.forgive();
        }
    }
}
