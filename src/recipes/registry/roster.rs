//! What is listed of one service: its members, those that are held back among them.
//!
//! Never decides who is listed.

use std::sync::Arc;

use imbl::OrdMap;
use tokio::time::Instant;

use crate::Version;
use crate::recipes::registry::member::{Member, State};
use crate::recipes::registry::penalty::{Load, Ward};

/// A member that is listed.
pub(crate) struct Listed<T> {
    pub(crate) member: Arc<Member<T>>,
    /// What this process knows of it: kept as long as it is the same member.
    pub(crate) load: Arc<Load>,
    /// Which creation of its record it is of.
    pub(crate) created: Version,
    /// Since when it is held back.
    pub(crate) held: Option<Instant>,
}

impl<T> Listed<T> {
    pub(crate) fn held_since(&self, since: Option<Instant>) -> Listed<T> {
        Listed {
            member: Arc::clone(&self.member),
            load: Arc::clone(&self.load),
            created: self.created,
            held: since,
        }
    }

    /// Whether it counts among those that there are: who drains leaves anyway, who is held back has gone.
    fn is_steady(&self) -> bool {
        self.held.is_none() && self.member.state != State::Draining
    }
}

/// As people see it: that it is held back is no difference, nor that it wrote the same once more.
impl<T> PartialEq for Listed<T> {
    fn eq(&self, other: &Listed<T>) -> bool {
        Arc::ptr_eq(&self.member, &other.member)
    }
}

pub(crate) struct Roster<T> {
    members: OrdMap<String, Arc<Listed<T>>>,
    pub(crate) ward: Arc<Ward>,
    steady: usize,
    held: usize,
}

impl<T> Clone for Roster<T> {
    fn clone(&self) -> Roster<T> {
        Roster {
            members: self.members.clone(),
            ward: Arc::clone(&self.ward),
            ..*self
        }
    }
}

impl<T> Default for Roster<T> {
    fn default() -> Roster<T> {
        Roster {
            members: OrdMap::new(),
            ward: Arc::default(),
            steady: 0,
            held: 0,
        }
    }
}

impl<T> Roster<T> {
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Listed<T>>> {
        self.members.get(id)
    }

    pub(crate) fn members(&self) -> &OrdMap<String, Arc<Listed<T>>> {
        &self.members
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many are held back.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// How many there are that are neither held back nor draining.
    pub(crate) fn steady(&self) -> usize {
        self.steady
    }

    pub(crate) fn insert(&mut self, id: &str, listed: Listed<T>) {
        self.steady += usize::from(listed.is_steady());
        self.held += usize::from(listed.held.is_some());
        let before = self.members.insert(id.to_owned(), Arc::new(listed));
        self.uncount(before.as_deref());
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Arc<Listed<T>>> {
        let before = self.members.remove(id);
        self.uncount(before.as_deref());
        before
    }

    fn uncount(&mut self, before: Option<&Listed<T>>) {
        let Some(before) = before else {
            return;
        };
        self.steady -= usize::from(before.is_steady());
        self.held -= usize::from(before.held.is_some());
    }

    /// Those that can be picked: who is up, or who is draining where nobody is; never who has no weight.
    pub(crate) fn candidates(&self) -> Vec<Arc<Listed<T>>> {
        let can = |listed: &Listed<T>, state| {
            let (is, weight) = (listed.member.state, listed.member.weight);
            is == state && weight > 0
        };
        let of = |state| {
            let members = self.members.values().filter(|listed| can(listed, state));
            members.cloned().collect::<Vec<_>>()
        };
        let up = of(State::Up);
        if up.is_empty() {
            of(State::Draining)
        } else {
            up
        }
    }
}
