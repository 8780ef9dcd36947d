//! From when to when each record stood in the log, as the truth heard it.
//!
//! It knows nothing of who wanted what. A record has gone before that was heard; when exactly, is not known.

use std::collections::BTreeMap;

use globe::{Position, Revision};

use crate::checks::timeline::{Moment, State, Stretch, Timeline};
use crate::history::{At, Stored};

/// One record, from the commit that created it to the one that deleted it.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) key: String,
    /// What it held at first, as text.
    pub(crate) tag: String,
    pub(crate) created: Moment,
    /// When it was first heard of.
    pub(crate) heard: At,
    /// The commit after which it was not there any more, and when that was first heard.
    pub(crate) gone: Option<(Moment, At)>,
}

impl Stay {
    /// Until when it is known to have stood, at the latest: it was heard then that it had gone, or its life of the log, or
    /// the history `end`s.
    pub(crate) fn until(&self, timeline: &Timeline, end: At) -> At {
        let gone = self.gone.map(|(_, heard)| heard);
        let next = timeline.began_after(self.created.epoch);
        gone.or(next).unwrap_or(end)
    }
}

/// All records of a keyspace. Of what a restore brought back, the life that it was brought back in counts.
pub(crate) fn stays(timeline: &Timeline, keyspace: &str) -> Vec<Stay> {
    let mut stays: BTreeMap<(Moment, String), Stay> = BTreeMap::new();
    for stretch in timeline.stretches(keyspace) {
        add(stretch, timeline, &mut stays);
    }
    stays.into_values().collect()
}

fn add(stretch: &Stretch, timeline: &Timeline, stays: &mut BTreeMap<(Moment, String), Stay>) {
    let moment = |revision| timeline.moment(Position::new(stretch.epoch, Revision(revision)));
    let mut begins = |key: &String, stored: &Stored, heard: At| {
        let created = moment(stored.created);
        let stay = stays.entry((created, key.clone())).or_insert_with(|| Stay {
            key: key.clone(),
            tag: stored.value.tag.clone(),
            created,
            heard,
            gone: None,
        });
        stay.heard = stay.heard.min(heard);
    };
    for (key, stored) in stretch.first_state() {
        begins(key, stored, stretch.began);
    }
    for commit in &stretch.commits {
        for key in &commit.keys {
            if let Some(stored) = commit.after.get(key) {
                begins(key, stored, commit.heard);
            }
        }
    }
    let mut before: &State = stretch.first_state();
    for commit in &stretch.commits {
        for key in &commit.keys {
            let stood = before.get(key).map(|stored| stored.created);
            let stands = commit.after.get(key).map(|stored| stored.created);
            let Some(created) = stood.filter(|_| stood != stands) else {
                continue;
            };
            if let Some(stay) = stays.get_mut(&(moment(created), key.clone())) {
                let gone = (moment(commit.revision), commit.heard);
                let first = stay.gone.map_or(gone, |first| match first.1 <= gone.1 {
                    true => first,
                    false => gone,
                });
                stay.gone = Some(first);
            }
        }
        before = &commit.after;
    }
}
