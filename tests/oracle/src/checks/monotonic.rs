//! A replica never goes back: what one read of a node has shown, every later one shows or supersedes, across `get`,
//! `view` and `watch`, except where the log itself began another life.
//!
//! It compares reads with reads only; writes are another check's.

use std::collections::{BTreeSet, HashMap};

use globe::{Position, Revision};

use super::floor::{Look, Raise, below};
use super::timeline::{FIRST, LAST, Moment, State, Stretch, Timeline};
use super::visibility::who;
use crate::history::{History, Read, Sample};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let spans = Spans::of(timeline);
    let mut raises: HashMap<(u32, &str), Vec<Raise>> = HashMap::new();
    let mut looks: HashMap<(u32, &str), Vec<Look<&Sample>>> = HashMap::new();
    for sample in history.samples() {
        let (from, to) = spans.of_read(sample, timeline);
        let replica = (sample.node, sample.keyspace.as_str());
        raises.entry(replica).or_default().push(Raise {
            tick: sample.ret.tick,
            moment: from,
        });
        looks.entry(replica).or_default().push(Look {
            tick: sample.call.tick,
            moment: to,
            what: sample,
        });
    }
    let watches: HashMap<u32, (u32, &str)> = history
        .watches()
        .map(|opened| (opened.watch, (opened.node, opened.keyspace.as_str())))
        .collect();
    for delivered in history.deliveries() {
        if let Some(replica) = watches.get(&delivered.watch) {
            raises.entry(*replica).or_default().push(Raise {
                tick: delivered.at.tick,
                moment: timeline.moment(delivered.to),
            });
        }
    }
    let mut wrong = Vec::new();
    for (replica, looks) in looks {
        let raises = raises.remove(&replica).unwrap_or_default();
        wrong.extend(below(raises, looks).into_iter().map(|(look, floor)| {
            format!(
                "{} saw {} as of {:?}, after {:?} had been shown there",
                who(look.what),
                subject(look.what),
                look.moment,
                floor
            )
        }));
    }
    wrong
}

pub(crate) fn subject(sample: &Sample) -> String {
    match &sample.read {
        Read::Get(key, found) => format!("{}/{key} = {found:?}", sample.keyspace),
        Read::View(..) | Read::Final(..) => sample.keyspace.clone(),
    }
}

/// For each key and each tag it held (or none): the first and the last moment at which it may have.
pub(crate) struct Spans(HashMap<(String, String, Option<String>), (Moment, Moment)>);

impl Spans {
    pub(crate) fn of(timeline: &Timeline) -> Spans {
        let mut spans = Spans(HashMap::new());
        for keyspace in timeline.keyspaces() {
            let stretches = timeline.stretches(keyspace);
            // A key that a stretch never mentions was absent through all of it.
            let keys: BTreeSet<&String> = stretches.iter().flat_map(Stretch::keys).collect();
            for stretch in stretches {
                for key in &keys {
                    spans.add(keyspace, key, stretch, timeline);
                }
            }
        }
        spans
    }

    fn add(&mut self, keyspace: &str, key: &str, stretch: &Stretch, timeline: &Timeline) {
        let moment = |revision| Moment {
            revision,
            ..timeline.moment(Position::new(stretch.epoch, Revision(0)))
        };
        let tag = |state: &State| state.get(key).map(|stored| stored.value.tag.clone());
        let first = stretch.first_state();
        // It was so since before this truth began.
        let mut since = first.get(key).map_or(0, |stored| stored.modified);
        let mut held = tag(first);
        for commit in &stretch.commits {
            if commit.keys.iter().any(|there| there == key) {
                let span = (moment(since), moment(commit.revision - 1));
                self.widen(keyspace, key, held, span);
                (held, since) = (tag(&commit.after), commit.revision);
            }
        }
        self.widen(keyspace, key, held, (moment(since), moment(u64::MAX)));
    }

    fn widen(&mut self, keyspace: &str, key: &str, tag: Option<String>, span: (Moment, Moment)) {
        let held = (keyspace.to_owned(), key.to_owned(), tag);
        let known = self.0.entry(held).or_insert(span);
        *known = (known.0.min(span.0), known.1.max(span.1));
    }

    /// The oldest and the newest state a read can have been of.
    pub(crate) fn of_read(&self, sample: &Sample, timeline: &Timeline) -> (Moment, Moment) {
        match &sample.read {
            Read::View(position, _) | Read::Final(position, _) => {
                let moment = timeline.moment(*position);
                (moment, moment)
            }
            Read::Get(key, found) => {
                let held = (sample.keyspace.clone(), key.clone(), found.clone());
                let known = self.0.get(&held).copied();
                // An absent key that nobody ever wrote says nothing.
                known.unwrap_or((FIRST, LAST))
            }
        }
    }
}
