//! What must be true of shard tables, registries and settings: the lives of a history, each with all that is known of it, for
//! the checkers in this folder.
//!
//! All processes of a run have one clock. What a third party ended before its time its owner cannot know at once: of a member
//! that was meddled with, what it did later is left out here, once and for all.

pub(crate) mod deaths;
pub(crate) mod enough;
pub(crate) mod given;
pub(crate) mod kept;
pub(crate) mod listed;
pub(crate) mod moves;
pub(crate) mod owners;
pub(crate) mod records;
pub(crate) mod registered;
pub(crate) mod served;
pub(crate) mod settings;
pub(crate) mod values;
pub(crate) mod written;

use std::collections::BTreeMap;

use globe::{Position, Revision, Token};

use super::timeline::Timeline;
use crate::history::{At, History, LifeDid, Meddling, RecipeRun, ShardDid, ShardStep};
use crate::workload::{AVAILABLE, STRICT};

/// Both tables.
pub(crate) const TABLES: [&str; 2] = [STRICT, AVAILABLE];

/// One life of a member.
#[derive(Debug)]
pub(crate) struct Life<'a> {
    pub(crate) keyspace: &'a str,
    pub(crate) id: &'a str,
    /// From when it began to become one, until it was told that it is.
    pub(crate) began: Option<(At, At)>,
    /// When it began to end: in whatever way.
    pub(crate) ends: Option<At>,
    /// When it had been killed.
    pub(crate) killed: Option<At>,
    /// When it began to leave, and when it had left, by what it was told.
    pub(crate) leaves: Option<At>,
    pub(crate) left: Option<At>,
    /// When all was quiet.
    pub(crate) over: Option<At>,
    /// When a third party began to end it.
    pub(crate) meddled: Option<At>,
}

/// What is known of the recipes of a history.
#[derive(Debug)]
pub(crate) struct Book<'a> {
    pub(crate) history: &'a History,
    pub(crate) timeline: &'a Timeline,
    pub(crate) run: &'a RecipeRun,
    pub(crate) lives: BTreeMap<u32, Life<'a>>,
}

/// All that is known of a history's recipes. Nothing, when none were played.
pub(crate) fn read(
    history: &History,
    timeline: &Timeline,
    judge: impl FnOnce(&Book<'_>) -> Vec<String>,
) -> Vec<String> {
    let Some(run) = history.recipe_runs().next() else {
        return Vec::new();
    };
    let mut book = Book {
        history,
        timeline,
        run,
        lives: BTreeMap::new(),
    };
    book.read_lives();
    book.distrust();
    judge(&book)
}

impl<'a> Book<'a> {
    fn read_lives(&mut self) {
        for step in self.history.life_steps() {
            let life = self.lives.entry(step.life).or_insert(Life {
                keyspace: &step.keyspace,
                id: &step.id,
                began: None,
                ends: None,
                killed: None,
                leaves: None,
                left: None,
                over: None,
                meddled: None,
            });
            let ends = Some(life.ends.map_or(step.call, |ends| ends.min(step.call)));
            match &step.did {
                LifeDid::Began { .. } => life.began = Some((step.call, step.ret)),
                LifeDid::Leaves => (life.ends, life.leaves) = (ends, Some(step.call)),
                LifeDid::Left(true) => life.left = Some(step.ret),
                LifeDid::NotBegun | LifeDid::Ended => life.ends = ends,
                LifeDid::Killed => (life.ends, life.killed) = (ends, Some(step.ret)),
                LifeDid::Over => life.over = Some(step.call),
                LifeDid::Left(false) | LifeDid::CutOff | LifeDid::Back => {}
            }
        }
    }

    fn distrust(&mut self) {
        for meddled in self.history.meddled() {
            let Meddling::Record(place) = &meddled.whose else {
                continue;
            };
            let lives = self.lives.values_mut();
            for life in lives.filter(|life| life.keyspace == place.keyspace) {
                if record_of(life) == place.key {
                    let first = life.meddled.unwrap_or(meddled.call);
                    life.meddled = Some(first.min(meddled.call));
                }
            }
        }
    }

    /// What members did about the shards of a table, and who; but not what was begun after they were meddled with.
    pub(crate) fn steps<'b>(
        &'b self,
        table: &'b str,
    ) -> impl Iterator<Item = (&'a ShardStep, &'b Life<'a>)> + 'b {
        let steps = self.history.shard_steps();
        let known = steps.filter_map(|step| Some((step, self.lives.get(&step.life)?)));
        known.filter(move |(step, life)| {
            life.keyspace == table && life.meddled.is_none_or(|meddled| step.call < meddled)
        })
    }
}

/// The position that a token names in its epoch. Only its epoch means anything.
pub(crate) fn position(token: Token) -> Position {
    Position::new(token.epoch, Revision(token.number))
}

/// The key of the record of a life.
pub(crate) fn record_of(life: &Life<'_>) -> String {
    let escaped = |name: &str| name.replace('/', "%2F");
    match life.id.split_once(' ') {
        Some((service, id)) => format!("{}/{}", escaped(service), escaped(id)),
        None => format!("member/{}", life.id),
    }
}

/// Until when a shard was certainly owned by who served it, or worked on it.
pub(crate) fn owned(step: &ShardStep, life: &Life<'_>) -> Option<(At, At)> {
    let is_owned = matches!(step.did, ShardDid::Served(_) | ShardDid::Worked);
    let to = life
        .meddled
        .map_or(step.ret, |meddled| step.ret.min(meddled));
    (is_owned && step.call < to).then_some((step.call, to))
}
