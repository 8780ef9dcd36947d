//! What is due in a table without any plan, and which change a planned move is.
//!
//! Never decides where a shard goes: that is a planner's.

use crate::recipes::shards::change::{Change, change};
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::planner::Move;
use crate::recipes::shards::record::RowId;
use crate::recipes::shards::row::{Mode, Row, Stage};
use crate::recipes::shards::shard_member::MemberState;
use crate::recipes::shards::table::Table;

/// What is due: what was prepared in vain is cancelled, what contradicts the mode as well, and what the dead leave behind goes to
/// whom it was going to. No row is due for which [`becomes`] makes anything of a move, so the two never collide.
///
/// `is_overdue` says of a row that prepares whether that takes too long.
pub(crate) fn due(table: &Table, is_overdue: impl Fn(RowId, &Row) -> bool) -> Vec<(RowId, Change)> {
    let rows = table.rows();
    rows.filter_map(|(shard, replica, row)| {
        let id = RowId { shard, replica };
        let wanted = due_of(table, row, || is_overdue(id, row))?;
        is_possible(table, Some(row), &wanted).then_some((id, wanted))
    })
    .collect()
}

fn due_of(table: &Table, row: &Row, is_overdue: impl FnOnce() -> bool) -> Option<Change> {
    let lives = |who: &Incarnation| table.is_live(who);
    let is_owned = lives(&row.owner);
    match (row.stage(), table.mode()) {
        (Stage::Prepare(next) | Stage::Drain(next), _) if !is_owned && lives(next) => {
            Some(Change::Inherit)
        }
        (Stage::Prepare(next), _) if is_owned => {
            // Whoever drains would only give it away again.
            (is_overdue() || !is_up(table, next)).then_some(Change::Cancel)
        }
        (Stage::Drain(_), Mode::Available) if is_owned => Some(Change::Cancel),
        (Stage::Leaving(_), Mode::Strict) => Some(Change::Cancel),
        (Stage::Leaving(prev), Mode::Available) if is_owned && !lives(prev) => {
            Some(Change::Inherit)
        }
        _ => None,
    }
}

/// Which change a move is; nothing if it is not possible now, or is so already.
pub(crate) fn becomes(table: &Table, wanted: &Move) -> Option<(RowId, Change)> {
    let Move { shard, replica, to } = wanted;
    let id = RowId {
        shard: *shard,
        replica: *replica,
    };
    if !is_of(table, id) {
        return None;
    }
    let row = table.cell(id).map(|cell| &*cell.row);
    let to = to.clone();
    let wanted = match row.map(|row| (row, row.stage())) {
        // It is due that this is cancelled.
        Some((_, Stage::Leaving(_))) if table.mode() == Mode::Strict => return None,
        Some((row, _)) if !table.is_live(&row.owner) => Change::Assign(to),
        Some((_, Stage::Settled)) => Change::Prepare(to),
        Some((_, Stage::Drain(_))) if table.mode() == Mode::Strict => Change::Redirect(to),
        Some(_) => return None,
        None => Change::Assign(to),
    };
    is_possible(table, row, &wanted).then_some((id, wanted))
}

/// Whether a table has such a row, or could: but for the first, ranges are made by their own transactions only.
fn is_of(table: &Table, id: RowId) -> bool {
    let is_shard = match table.shape.slots {
        Some(slots) => id.shard < slots,
        None => table.ranges.iter().any(|(_, shard)| *shard == id.shard),
    };
    is_shard && id.replica < table.replicas()
}

fn is_possible(table: &Table, row: Option<&Row>, wanted: &Change) -> bool {
    change(table.mode(), row, wanted, None, |member| {
        table.is_live(member)
    })
    .is_some()
}

fn is_up(table: &Table, member: &Incarnation) -> bool {
    let peer = table.member(member.id());
    peer.is_some_and(|peer| peer.incarnation() == member && peer.state() == MemberState::Up)
}

#[cfg(test)]
mod tests;
