//! Writes histories by hand.
//!
//! Never judges what it writes.

use super::*;

pub(super) fn at(tick: u64) -> At {
    At {
        tick,
        micros: tick * 1_000,
    }
}

pub(super) fn position(revision: u64) -> Position {
    Position::new(Epoch::new(1), Revision(revision))
}

pub(super) fn key(key: &str) -> Place {
    Place {
        keyspace: "first".into(),
        key: key.into(),
    }
}

pub(super) fn version(tag: &str, created: u64, modified: u64) -> Version {
    Version {
        tag: tag.into(),
        created,
        modified,
    }
}

pub(super) fn stored(tag: &str, created: u64, modified: u64) -> Stored {
    Stored {
        value: Value {
            tag: tag.into(),
            ..Value::default()
        },
        created,
        modified,
    }
}

pub(super) fn list(tags: &[&str]) -> Value {
    Value {
        tag: (*tags.last().unwrap()).into(),
        amount: 0,
        list: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

/// Writes a history down, one thing after the other.
#[derive(Default)]
pub(super) struct Scribe {
    tick: u64,
    pub(super) events: Vec<Event>,
}

impl Scribe {
    pub(super) fn now(&mut self) -> At {
        self.tick += 1;
        at(self.tick)
    }

    pub(super) fn base(&mut self, keyspace: &str) {
        let at = self.now();
        self.events.push(Event::Base(Base {
            member: "log".into(),
            keyspace: keyspace.into(),
            position: position(1),
            records: Vec::new(),
            at,
        }));
    }

    pub(super) fn op(&mut self, action: Action, tag: &str, outcome: Outcome) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::Op(Op {
            client: 0,
            node: 0,
            action,
            tags: (!tag.is_empty())
                .then(|| tag.to_owned())
                .into_iter()
                .collect(),
            call,
            ret: Some(ret),
            given_up: None,
            outcome,
        }));
    }

    pub(super) fn truth(
        &mut self,
        keyspace: &str,
        revision: u64,
        changes: &[(&str, Option<Stored>)],
    ) {
        let at = self.now();
        let changes = changes.iter();
        self.events.push(Event::Truth(Truth {
            member: "log".into(),
            keyspace: keyspace.into(),
            position: position(revision),
            changes: changes
                .map(|(key, stored)| ((*key).into(), stored.clone()))
                .collect(),
            at,
        }));
    }

    pub(super) fn opened(&mut self, watch: u32, mode: Mode) {
        let at = self.now();
        self.events.push(Event::Opened(Opened {
            watch,
            node: 0,
            keyspace: "first".into(),
            filter: Filter::All,
            mode,
            rest_micros: 0,
            position: position(1),
            shown: Vec::new(),
            at,
        }));
    }

    pub(super) fn delivered(
        &mut self,
        revision: u64,
        changes: &[(&str, Option<Version>, Option<Version>)],
    ) {
        for watch in [0, 1] {
            let at = self.now();
            let changes = changes.iter().map(|(key, old, new)| Moved {
                key: (*key).into(),
                old: old.clone(),
                new: new.clone(),
                revision,
            });
            self.events.push(Event::Delivered(Delivered {
                watch,
                from: position(revision - 1),
                to: position(revision),
                cause: Cause::Step,
                changes: changes.collect(),
                at,
            }));
        }
    }

    pub(super) fn sample(&mut self, keyspace: &str, read: Read) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::Sample(Sample {
            reader: 9,
            node: 0,
            keyspace: keyspace.into(),
            call,
            ret,
            read,
        }));
    }

    pub(super) fn fault(&mut self, effect: Effect) {
        let at = self.now();
        let what = format!("{effect:?}");
        self.events.push(Event::Fault(Fault { what, effect, at }));
    }

    pub(super) fn health(&mut self, keyspace: &str) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::Health(Health {
            node: 0,
            keyspace: keyspace.into(),
            is_live: true,
            staleness_micros: Some(0),
            position: position(8),
            resyncs: 0,
            violations: 0,
            call,
            ret,
        }));
    }

    pub(super) fn gauge(&mut self, value: u64) {
        let at = self.now();
        self.events.push(Event::Gauge(Gauge {
            what: "tasks".into(),
            value,
            tolerance: 2,
            at,
        }));
    }
}
