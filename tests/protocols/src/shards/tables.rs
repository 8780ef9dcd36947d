//! Asks the map's tables: what becomes of a row, what it asks of a member, what is next.
//!
//! Never answers itself: it only says their words in those of the model, and back.

use std::sync::Arc;

use crate::recipes::shards::change;
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::row;
use crate::recipes::shards::step;
use crate::shards::commit::Change;
use crate::shards::content::{Inc, Row, Stage};
use crate::shards::scope::Mode;
use crate::shards::worker::Running;

pub(crate) use crate::recipes::shards::step::{Next, Role};

thread_local! {
    static IDS: [Arc<str>; 3] = ["0", "1", "2"].map(Arc::from);
}

fn told(inc: Inc) -> Incarnation {
    let id = IDS.with(|ids| Arc::clone(&ids[usize::from(inc.worker)]));
    Incarnation::new(id, u64::from(inc.created))
}

fn heard(incarnation: &Incarnation) -> Inc {
    Inc {
        worker: incarnation.id().as_bytes()[0] - b'0',
        created: incarnation.created() as u8,
    }
}

fn row_told(row: Row) -> row::Row {
    let plain = row::Row::new(told(row.owner), u64::from(row.term));
    let moving = |next, phase| row::Row {
        next: Some(told(next)),
        phase: Some(phase),
        ..plain.clone()
    };
    match row.stage {
        Stage::Settled => plain,
        Stage::Prepare(next) => moving(next, row::Phase::Prepare),
        Stage::Drain(next) => moving(next, row::Phase::Drain),
        Stage::Leaving(prev) => row::Row {
            prev: Some(told(prev)),
            ..plain
        },
    }
}

fn row_heard(row: &row::Row) -> Row {
    Row {
        owner: heard(&row.owner),
        term: row.term as u8,
        stage: match row.stage() {
            row::Stage::Settled => Stage::Settled,
            row::Stage::Prepare(next) => Stage::Prepare(heard(next)),
            row::Stage::Drain(next) => Stage::Drain(heard(next)),
            row::Stage::Leaving(prev) => Stage::Leaving(heard(prev)),
        },
    }
}

/// What a change makes of a row, by the table of the map.
pub(crate) fn changed(
    mode: Mode,
    row: Option<Row>,
    wanted: Change,
    by: Option<Inc>,
    mut is_live: impl FnMut(Inc) -> bool,
) -> Option<Row> {
    let wanted = match wanted {
        Change::Assign(to) => change::Change::Assign(told(to)),
        Change::Prepare(to) => change::Change::Prepare(told(to)),
        Change::Ready => change::Change::Ready,
        Change::Done => change::Change::Done,
        Change::Refuse => change::Change::Refuse,
        Change::Cancel => change::Change::Cancel,
        Change::Redirect(to) => change::Change::Redirect(told(to)),
        Change::Inherit => change::Change::Inherit,
    };
    let (row, by) = (row.map(row_told), by.map(told));
    let is_live = |incarnation: &Incarnation| is_live(heard(incarnation));
    let mode = mode.of_the_map();
    let made = change::change(mode, row.as_ref(), &wanted, by.as_ref(), is_live);
    made.as_ref().map(row_heard)
}

/// What a row asks of a member, by the table of the map.
pub(crate) fn role(mode: Mode, row: Option<Row>, me: Inc) -> Role {
    step::role(mode.of_the_map(), row.map(row_told).as_ref(), &told(me))
}

/// What is next for a member, by the table of the map.
pub(crate) fn next(mode: Mode, running: Running, role: Role, may_own: bool) -> Next {
    let term = u64::from;
    let running = match running {
        Running::Idle => step::Running::Idle,
        Running::Preparing => step::Running::Preparing,
        Running::Ready => step::Running::Ready,
        Running::Owned(at) => step::Running::Owned(term(at)),
        Running::Draining(at) => step::Running::Draining(term(at)),
        Running::Drained(at) => step::Running::Drained(term(at)),
        Running::Dropping => step::Running::Dropping,
    };
    step::next(mode.of_the_map(), running, role, may_own)
}
