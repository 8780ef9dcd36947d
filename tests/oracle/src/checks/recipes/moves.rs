//! Every change of a row is one that may be made of what stood there: shards are given to who is there, taken only from who is
//! gone or has said that he stopped, and no term goes back.
//!
//! It goes by what the log held before each commit alone, and by no clock and no member.

use globe::shards::{Phase, Row};

use super::records::{is_live, row, shard_of};
use super::{Book, TABLES};
use crate::checks::timeline::{State, Stretch, Timeline};
use crate::history::History;
use crate::workload::STRICT;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge)
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for table in TABLES {
        for stretch in book.timeline.stretches(table) {
            wrong.extend(broken(table, stretch));
        }
    }
    wrong
}

fn broken(table: &str, stretch: &Stretch) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut before = stretch.first_state();
    for commit in &stretch.commits {
        for key in commit.keys.iter().filter(|key| shard_of(key).is_some()) {
            let (old, new) = (before.get(key), commit.after.get(key));
            let why = match (old.map(|it| row(it)), new.map(|it| row(it))) {
                (_, Some(None)) => Err("it is no row".to_owned()),
                (_, None) => Err("it is gone".to_owned()),
                (None, Some(Some(new))) => given(before, &new),
                // What was nonsense before may become anything.
                (Some(None), _) => Ok(()),
                (Some(Some(old)), Some(Some(new))) => moved(before, table == STRICT, &old, &new),
            };
            if let Err(why) = why {
                let revision = commit.revision;
                let [old, new] = [old, new].map(|it| it.map_or("nothing", |it| &it.value.tag));
                wrong.push(format!(
                    "{table}: {key} at {revision} became {new} of {old}: {why}"
                ));
            }
        }
        before = &commit.after;
    }
    wrong
}

type Verdict = Result<(), String>;

fn demand(is_so: bool, why: &str) -> Verdict {
    match is_so {
        true => Ok(()),
        false => Err(why.to_owned()),
    }
}

fn given(before: &State, new: &Row) -> Verdict {
    demand(is_live(before, &new.owner), "it is given to nobody")?;
    demand(is_settled(new), "it moves from the beginning")
}

fn is_settled(row: &Row) -> bool {
    row.next.is_none() && row.phase.is_none() && row.prev.is_none()
}

/// Whether one row may become another.
fn moved(before: &State, is_strict: bool, old: &Row, new: &Row) -> Verdict {
    let live = |who| is_live(before, who);
    let next = old.next.as_ref();
    if new.owner != old.owner {
        demand(new.term == old.term + 1, "its term is not the next one")?;
        let is_next = next == Some(&new.owner);
        // Strict: it has said that it stopped. Available: the next one begins.
        let handing = if is_strict {
            Phase::Drain
        } else {
            Phase::Prepare
        };
        if live(&old.owner) {
            demand(
                is_next && old.phase == Some(handing),
                "its owner is there, and has not given it away",
            )?;
        } else if !is_next {
            demand(!next.is_some_and(live), "its next owner is there")?;
            demand(live(&new.owner), "it is given to nobody")?;
            let left = old.prev.as_ref().filter(|prev| live(prev));
            demand(
                left.is_none_or(|left| *left == new.owner),
                "who leaves is there, and does not get it back",
            )?;
        }
        let begun = !is_strict && is_next && old.phase == Some(Phase::Prepare);
        let leaves = begun && new.prev.as_ref() == Some(&old.owner);
        let moves = new.next.is_some() || new.phase.is_some();
        return demand(!moves && (leaves || new.prev.is_none()), "it moves at once");
    }
    demand(
        new.term == old.term,
        "it has another term, and the same owner",
    )?;
    match (old.phase, new.phase) {
        (None, Some(Phase::Prepare)) => {
            demand(old.prev.is_none(), "who leaves it has not stopped")?;
            demand(new.next.as_ref().is_some_and(live), "nobody prepares")?;
            demand(live(&new.owner), "its owner is not there")
        }
        (Some(Phase::Prepare), Some(Phase::Drain)) => demand(
            is_strict && new.next == old.next,
            "it is drained for another",
        ),
        // Refused or cancelled.
        (Some(Phase::Prepare), None) => demand(is_settled(new), "it moves"),
        (Some(Phase::Drain), Some(Phase::Drain)) => {
            demand(!next.is_some_and(live), "its next owner is there")?;
            demand(
                new.next.as_ref().is_some_and(live),
                "it is drained for nobody",
            )
        }
        (None, None) => demand(old.prev.is_some() && is_settled(new), "nothing has changed"),
        _ => Err("nobody may do that".to_owned()),
    }
}
