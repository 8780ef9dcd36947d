//! A watch shows exactly what changed: no change is lost, told twice, out of order or invented; transactions are whole;
//! one that wants every revision gets each.
//!
//! It replays each watch beside the truth; where the truth is unknown, beside what the watch itself has shown.

use std::collections::{BTreeMap, HashMap};

use super::timeline::{State, Timeline};
use crate::history::{
    Cause, Delivered, Event, Filter, History, Mode, Moved, Opened, Read, Version,
};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let mut follows: BTreeMap<u32, Follow<'_>> = BTreeMap::new();
    let mut settled = HashMap::new();
    for event in &history.events {
        match event {
            Event::Opened(opened) => {
                follows.insert(opened.watch, Follow::new(opened, timeline));
            }
            Event::Delivered(delivered) => {
                if let Some(follow) = follows.get_mut(&delivered.watch) {
                    follow.step(delivered);
                }
            }
            Event::Ended(ended) => {
                if let Some(follow) = follows.get_mut(&ended.watch) {
                    follow.has_ended = true;
                }
            }
            Event::Sample(sample) => {
                if let Read::Final(position, _) = &sample.read {
                    settled.insert((sample.node, sample.keyspace.as_str()), *position);
                }
            }
            _ => {}
        }
    }
    let mut wrong = Vec::new();
    for follow in follows.into_values() {
        let place = (follow.opened.node, follow.opened.keyspace.as_str());
        wrong.extend(follow.over(settled.get(&place).copied()));
    }
    wrong
}

type Content = BTreeMap<String, Version>;

/// One watch, followed.
struct Follow<'a> {
    opened: &'a Opened,
    timeline: &'a Timeline,
    shown: Content,
    here: globe::Position,
    steps: usize,
    has_ended: bool,
    wrong: Vec<String>,
}

impl<'a> Follow<'a> {
    fn new(opened: &'a Opened, timeline: &'a Timeline) -> Follow<'a> {
        let mut follow = Follow {
            opened,
            timeline,
            shown: opened.shown.iter().cloned().collect(),
            here: opened.position,
            steps: 0,
            has_ended: false,
            wrong: Vec::new(),
        };
        let state = timeline.state(&opened.keyspace, opened.position);
        if state.is_some_and(|state| covered(state, &opened.filter) != follow.shown) {
            follow.says("began with another content than the log");
        }
        follow
    }

    fn says(&mut self, what: impl std::fmt::Display) {
        let Opened {
            watch,
            node,
            keyspace,
            filter,
            mode,
            ..
        } = self.opened;
        self.wrong.push(format!(
            "watch {watch} of node {node} on {keyspace} ({filter:?}, {mode:?}) {what}"
        ));
    }

    fn step(&mut self, delivered: &Delivered) {
        let (from, to) = (delivered.from, delivered.to);
        if self.timeline.moment(from) < self.timeline.moment(self.here)
            || self.timeline.moment(to) <= self.timeline.moment(from)
        {
            let here = self.here;
            self.says(format_args!(
                "went from {here} over {from} to {to}: back in time, or nowhere"
            ));
        }
        match self.timeline.state(&self.opened.keyspace, to) {
            Some(state) => {
                let truth = covered(state, &self.opened.filter);
                self.compare(delivered, &truth);
                self.fold(delivered);
                if self.shown != truth {
                    self.shown = truth;
                }
            }
            None => {
                self.continues(delivered);
                self.fold(delivered);
            }
        }
        self.judge_revisions(delivered);
        self.judge_cause(delivered);
        self.here = to;
        self.steps += 1;
    }

    /// The changes are exactly what turns what was shown into the truth.
    fn compare(&mut self, delivered: &Delivered, truth: &Content) {
        let mut told: BTreeMap<&str, &Moved> = BTreeMap::new();
        for moved in &delivered.changes {
            if told.insert(&moved.key, moved).is_some() {
                self.says(format_args!(
                    "told {} twice in one step to {}",
                    moved.key, delivered.to
                ));
            }
        }
        let mut keys: Vec<String> = self.shown.keys().chain(truth.keys()).cloned().collect();
        keys.extend(told.keys().map(|key| (*key).to_owned()));
        keys.sort();
        keys.dedup();
        for key in keys {
            let (old, new) = (self.shown.get(&key).cloned(), truth.get(&key).cloned());
            let to = delivered.to;
            match told.get(key.as_str()) {
                None if old == new => {}
                None => self.says(format_args!("lost at {to} that {key} went from {old:?} to {new:?}")),
                Some(_) if old == new => {
                    self.says(format_args!("invented at {to} a change of {key}, which stayed {old:?}"));
                }
                Some(moved) if moved.old != old || moved.new != new => self.says(format_args!(
                    "told at {to} that {key} went from {:?} to {:?}, but it went from {old:?} to {new:?}",
                    moved.old, moved.new
                )),
                Some(_) => {}
            }
        }
    }

    /// Without truth: what is said to have been there is what this watch had shown.
    fn continues(&mut self, delivered: &Delivered) {
        for moved in &delivered.changes {
            let old = self.shown.get(&moved.key).cloned();
            if moved.old != old {
                self.says(format_args!(
                    "told at {} that {} was {:?}, but had shown {old:?}",
                    delivered.to, moved.key, moved.old
                ));
            }
        }
    }

    fn fold(&mut self, delivered: &Delivered) {
        for moved in &delivered.changes {
            match &moved.new {
                Some(version) => self.shown.insert(moved.key.clone(), version.clone()),
                None => self.shown.remove(&moved.key),
            };
        }
    }

    fn judge_revisions(&mut self, delivered: &Delivered) {
        for moved in &delivered.changes {
            let named = moved.revision;
            let right = match &moved.new {
                Some(version) => named == version.modified,
                None => named <= delivered.to.revision.0,
            };
            if !right || !self.opened.filter.covers(&moved.key) {
                self.says(format_args!(
                    "told of {} at the wrong revision {named}",
                    moved.key
                ));
            }
        }
    }

    fn judge_cause(&mut self, delivered: &Delivered) {
        let (from, to, cause) = (delivered.from, delivered.to, delivered.cause);
        let is_resync = matches!(cause, Cause::NewEpoch | Cause::Resync);
        if is_resync {
            return;
        }
        if from.epoch != to.epoch {
            self.says(format_args!(
                "called {from} to {to}, another life of the log, {cause:?}"
            ));
            return;
        }
        // Commits that touched nothing it covers pass it by.
        let touches = |key: &String| self.opened.filter.covers(key);
        let between = self.timeline.between(&self.opened.keyspace, from, to);
        let commits = between.map(|commits| {
            let touching = commits.iter().filter(|c| c.keys.iter().any(touches));
            touching.count()
        });
        if cause == Cause::Step
            && let Some(commits) = commits
            && commits != 1
        {
            self.says(format_args!(
                "called {commits} commits from {from} to {to} one"
            ));
        }
        let wants_each = matches!(self.opened.mode, Mode::EveryRevision(buffer) if buffer > 1_000);
        // What was published while it was being opened is one step.
        if wants_each && cause == Cause::Coalesced && self.steps > 0 {
            self.says(format_args!(
                "coalesced {from} to {to}, though it wants every revision"
            ));
        }
    }

    /// In the end it has shown everything its node has.
    fn over(mut self, settled: Option<globe::Position>) -> Vec<String> {
        if !self.has_ended {
            self.says("never came to its end");
            return self.wrong;
        }
        let keyspace = &self.opened.keyspace;
        let state = settled.and_then(|position| self.timeline.state(keyspace, position));
        let Some(state) = state else {
            return self.wrong;
        };
        let newest = self.timeline.newest(keyspace).into_iter();
        let mut later = newest.flat_map(|stretch| stretch.commits.iter().map(|c| &c.after));
        let is_there = |state: &State| covered(state, &self.opened.filter) == self.shown;
        if !is_there(state) && !later.any(is_there) {
            let here = self.here;
            self.says(format_args!("lost the last changes: it ended at {here}"));
        }
        self.wrong
    }
}

/// What a watch covers of a state.
fn covered(state: &State, filter: &Filter) -> Content {
    let covered = state.iter().filter(|(key, _)| filter.covers(key));
    covered
        .map(|(key, stored)| (key.clone(), stored.version()))
        .collect()
}
