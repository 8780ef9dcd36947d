//! The truth of a history, ready to be asked: what stood at each revision, when it was heard, where each tag landed.
//!
//! What the truth could not hear is unknown here, never guessed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use globe::{Epoch, Position};
use imbl::OrdMap;

use crate::history::{At, Base, Event, History, Place, Shown, Stored, Truth};

/// A keyspace at one revision.
pub(crate) type State = OrdMap<String, Arc<Stored>>;

/// A position, ordered across epochs by when they were first heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) epoch: usize,
    pub(crate) revision: u64,
}

/// Before everything.
pub(crate) const FIRST: Moment = Moment {
    epoch: 0,
    revision: 0,
};

/// After everything.
pub(crate) const LAST: Moment = Moment {
    epoch: usize::MAX,
    revision: u64::MAX,
};

/// One commit, as it touched one keyspace.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) revision: u64,
    pub(crate) heard: At,
    /// The keys it touched.
    pub(crate) keys: Vec<String>,
    /// What stood after it.
    pub(crate) after: State,
}

/// Truth without a gap: from a snapshot on.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) epoch: Epoch,
    pub(crate) base: u64,
    pub(crate) began: At,
    start: State,
    /// Nothing else happened up to here.
    pub(crate) known_to: u64,
    pub(crate) commits: Vec<Commit>,
}

impl Stretch {
    fn covers(&self, position: Position) -> bool {
        self.epoch == position.epoch && (self.base..=self.known_to).contains(&position.revision.0)
    }

    /// The commits after `from`, up to `to`.
    fn between(&self, from: u64, to: u64) -> &[Commit] {
        let first = self.commits.partition_point(|c| c.revision <= from);
        let last = self.commits.partition_point(|c| c.revision <= to);
        &self.commits[first..last.max(first)]
    }

    fn state(&self, revision: u64) -> &State {
        match self.between(0, revision).last() {
            Some(commit) => &commit.after,
            None => &self.start,
        }
    }

    /// Every key it mentions.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        let touched = self.commits.iter().flat_map(|commit| &commit.keys);
        touched.chain(self.start.keys())
    }

    pub(crate) fn first_state(&self) -> &State {
        &self.start
    }

    pub(crate) fn last_state(&self) -> &State {
        self.state(u64::MAX)
    }
}

/// Where an attempt's write landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Landing {
    pub(crate) place: Place,
    pub(crate) at: Moment,
}

/// All truth of a history.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    stretches: HashMap<String, Vec<Stretch>>,
    epochs: Vec<Epoch>,
    landings: BTreeMap<String, Vec<Landing>>,
}

impl Timeline {
    pub(crate) fn of(history: &History) -> Timeline {
        let mut timeline = Timeline::default();
        // Which stretch each member's ear is on.
        let mut open: HashMap<(String, String), usize> = HashMap::new();
        let mut seen = HashSet::new();
        for event in &history.events {
            match event {
                Event::Base(base) => timeline.begin(base, &mut open, &mut seen),
                Event::Truth(truth) => timeline.extend(truth, &open, &mut seen),
                _ => {}
            }
        }
        timeline
    }

    fn begin(
        &mut self,
        base: &Base,
        open: &mut HashMap<(String, String), usize>,
        seen: &mut HashSet<(Place, u64, String)>,
    ) {
        if !self.epochs.contains(&base.position.epoch) {
            self.epochs.push(base.position.epoch);
        }
        let mut start = State::new();
        for (key, stored) in &base.records {
            start.insert(key.clone(), Arc::new(stored.clone()));
            let at = Position::new(base.position.epoch, globe::Revision(stored.modified));
            self.land(&base.keyspace, key, stored, at, seen);
        }
        let stretches = self.stretches.entry(base.keyspace.clone()).or_default();
        open.insert(
            (base.keyspace.clone(), base.member.clone()),
            stretches.len(),
        );
        stretches.push(Stretch {
            epoch: base.position.epoch,
            base: base.position.revision.0,
            began: base.at,
            start,
            known_to: base.position.revision.0,
            commits: Vec::new(),
        });
    }

    fn extend(
        &mut self,
        truth: &Truth,
        open: &HashMap<(String, String), usize>,
        seen: &mut HashSet<(Place, u64, String)>,
    ) {
        for (key, stored) in &truth.changes {
            if let Some(stored) = stored {
                self.land(&truth.keyspace, key, stored, truth.position, seen);
            }
        }
        let ear = (truth.keyspace.clone(), truth.member.clone());
        let stretches = self.stretches.entry(truth.keyspace.clone()).or_default();
        let Some(stretch) = open.get(&ear).and_then(|index| stretches.get_mut(*index)) else {
            return;
        };
        stretch.known_to = stretch.known_to.max(truth.position.revision.0);
        if truth.changes.is_empty() {
            return;
        }
        let mut after = stretch.last_state().clone();
        for (key, stored) in &truth.changes {
            match stored {
                Some(stored) => after.insert(key.clone(), Arc::new(stored.clone())),
                None => after.remove(key),
            };
        }
        stretch.commits.push(Commit {
            revision: truth.position.revision.0,
            heard: truth.at,
            keys: truth.changes.iter().map(|(key, _)| key.clone()).collect(),
            after,
        });
    }

    /// Notes where a tag landed. A restored log tells again of what had landed before: that is the same landing.
    fn land(
        &mut self,
        keyspace: &str,
        key: &str,
        stored: &Stored,
        at: Position,
        seen: &mut HashSet<(Place, u64, String)>,
    ) {
        let place = Place {
            keyspace: keyspace.to_owned(),
            key: key.to_owned(),
        };
        let tag = stored.value.tag.clone();
        if seen.insert((place.clone(), at.revision.0, tag.clone())) {
            let at = self.moment(at);
            let landings = self.landings.entry(tag).or_default();
            landings.push(Landing { place, at });
        }
    }

    /// A position in the order of the run. An epoch the truth never heard of comes after all it did.
    pub(crate) fn moment(&self, position: Position) -> Moment {
        let epoch = self.epochs.iter().position(|e| *e == position.epoch);
        Moment {
            epoch: epoch.unwrap_or(self.epochs.len()),
            revision: position.revision.0,
        }
    }

    /// The position of a moment.
    pub(crate) fn position(&self, moment: Moment) -> Option<Position> {
        let epoch = self.epochs.get(moment.epoch)?;
        Some(Position::new(*epoch, globe::Revision(moment.revision)))
    }

    /// When the first was heard of any life of the log after this one.
    pub(crate) fn began_after(&self, epoch: usize) -> Option<At> {
        let stretches = self.stretches.values().flatten();
        let later = stretches.filter(|stretch| {
            let index = self.epochs.iter().position(|e| *e == stretch.epoch);
            index.is_some_and(|index| index > epoch)
        });
        later.map(|stretch| stretch.began).min()
    }

    /// When the first was heard of this life of the log.
    pub(crate) fn began(&self, epoch: usize) -> Option<At> {
        let epoch = self.epochs.get(epoch)?;
        let stretches = self.stretches.values().flatten();
        let here = stretches.filter(|stretch| stretch.epoch == *epoch);
        here.map(|stretch| stretch.began).min()
    }

    pub(crate) fn epochs(&self) -> usize {
        self.epochs.len()
    }

    pub(crate) fn keyspaces(&self) -> impl Iterator<Item = &String> {
        self.stretches.keys()
    }

    pub(crate) fn stretches(&self, keyspace: &str) -> &[Stretch] {
        self.stretches.get(keyspace).map_or(&[], Vec::as_slice)
    }

    fn stretch(&self, keyspace: &str, position: Position) -> Option<&Stretch> {
        let mut stretches = self.stretches(keyspace).iter();
        stretches.find(|stretch| stretch.covers(position))
    }

    /// What stood at a position; `None` when it is unknown.
    pub(crate) fn state(&self, keyspace: &str, position: Position) -> Option<&State> {
        let stretch = self.stretch(keyspace, position)?;
        Some(stretch.state(position.revision.0))
    }

    /// What stood just before a moment.
    pub(crate) fn before(&self, keyspace: &str, moment: Moment) -> Option<&State> {
        let before = Moment {
            revision: moment.revision.checked_sub(1)?,
            ..moment
        };
        self.state(keyspace, self.position(before)?)
    }

    /// The commits after one position up to another of the same epoch; `None` when not all of them are known.
    pub(crate) fn between(
        &self,
        keyspace: &str,
        from: Position,
        to: Position,
    ) -> Option<&[Commit]> {
        let mut stretches = self.stretches(keyspace).iter();
        let stretch = stretches.find(|stretch| stretch.covers(from) && stretch.covers(to))?;
        Some(stretch.between(from.revision.0, to.revision.0))
    }

    /// When the first thing was heard that a replica at `position` does not show: a commit, or another life of the log.
    pub(crate) fn overtaken(&self, keyspace: &str, position: Position) -> Option<At> {
        let stretches = self.stretches(keyspace).iter();
        let here = self.moment(position);
        let next = stretches.filter_map(|stretch| {
            let base = self.moment(Position::new(stretch.epoch, globe::Revision(stretch.base)));
            if base.epoch > here.epoch {
                return Some(stretch.began);
            }
            let is_here = base.epoch == here.epoch && stretch.covers(position);
            let later = stretch.between(position.revision.0, u64::MAX);
            later.first().filter(|_| is_here).map(|commit| commit.heard)
        });
        next.min()
    }

    /// Where each tag landed.
    pub(crate) fn landings(&self) -> &BTreeMap<String, Vec<Landing>> {
        &self.landings
    }

    /// Where a tag landed.
    pub(crate) fn landed(&self, tag: &str) -> &[Landing] {
        self.landings.get(tag).map_or(&[], Vec::as_slice)
    }

    /// Whether all truth of a keyspace is known: one life, heard by each ear without a gap.
    pub(crate) fn is_complete(&self, keyspace: &str) -> bool {
        let stretches = self.stretches(keyspace);
        let Some(first) = stretches.first() else {
            return false;
        };
        self.epochs.len() == 1
            && stretches
                .iter()
                .all(|stretch| stretch.base <= first.known_to)
    }

    /// The newest stretch of a keyspace.
    pub(crate) fn newest(&self, keyspace: &str) -> Option<&Stretch> {
        let stretches = self.stretches(keyspace).iter();
        stretches.max_by_key(|stretch| {
            self.moment(Position::new(
                stretch.epoch,
                globe::Revision(stretch.known_to),
            ))
        })
    }
}

/// A state as a replica shows it.
pub(crate) fn shown(state: &State) -> Vec<Shown> {
    let entries = state.iter();
    entries
        .map(|(key, stored)| (key.clone(), stored.version()))
        .collect()
}
