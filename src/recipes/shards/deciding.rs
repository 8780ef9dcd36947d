//! What the planner decides, committed: some rows in each transaction, each as it was seen.
//!
//! Never commits what was decided on a row or a member that is another by now.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::recipes::shards::budget::{Budget, bytes_of, bytes_of_guard};
use crate::recipes::shards::change::{Change, change};
use crate::recipes::shards::common::Common;
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::record::{REBALANCE, Record, RowId, member_key, row_key};
use crate::recipes::shards::row::Row;
use crate::recipes::shards::table::Table;
use crate::session::claims::Claimed;
use crate::{Error, ErrorKind, Position, Result, Txn};

/// One row, as it was seen, and what is to become of it.
struct Decision {
    row: RowId,
    seen: Option<Arc<Row>>,
    change: Change,
}

impl Decision {
    /// To whom the row is given.
    fn target(&self) -> Option<&Incarnation> {
        match &self.change {
            Change::Assign(to) | Change::Prepare(to) | Change::Redirect(to) => Some(to),
            _ => None,
        }
    }

    /// All who may be asked for.
    fn members(&self) -> impl Iterator<Item = &Incarnation> {
        let seen = self.seen.as_deref();
        let of_row = seen.into_iter().flat_map(|row| {
            let others = [row.next.as_ref(), row.prev.as_ref()];
            std::iter::once(&row.owner).chain(others.into_iter().flatten())
        });
        of_row.chain(self.target())
    }
}

/// Commits changes of rows, in as many transactions as the log asks for, while the planner is the planner. Where the last of
/// them landed.
///
/// # Errors
/// As a write; `NotHeld` when somebody else plans. What was committed until then is a valid table.
pub(crate) async fn decide(
    common: &Common,
    planner: &Claimed,
    table: &Table,
    changes: Vec<(RowId, Change)>,
) -> Result<Option<Position>> {
    // One of its guards is the planner's own.
    let budget = Budget::of(&common.map.log().capabilities(), 1);
    let decisions = changes.into_iter().map(|(row, change)| Decision {
        row,
        seen: table.cell(row).map(|cell| Arc::clone(&cell.row)),
        change,
    });
    let mut landed = None;
    for batch in batches(decisions, budget) {
        landed = Some(commit(common, planner, &batch).await?);
    }
    Ok(landed)
}

/// As many in each as one transaction takes: the rows, the members they are about, and the planner.
fn batches(decisions: impl Iterator<Item = Decision>, budget: Budget) -> Vec<Vec<Decision>> {
    let mut batches: Vec<Vec<Decision>> = Vec::new();
    let mut members: BTreeSet<String> = BTreeSet::new();
    let (mut open, mut left): (Vec<Decision>, Budget) = (Vec::new(), budget);
    for decision in decisions {
        let its: BTreeSet<String> = decision.members().map(|one| one.id().to_owned()).collect();
        let row = bytes_of(decision.seen.as_deref(), decision.target());
        let takes = |known: &BTreeSet<String>| {
            let more: Vec<&String> = its.difference(known).collect();
            let guards = more.iter().map(|member| bytes_of_guard(member));
            (1 + more.len(), row + guards.sum::<usize>())
        };
        let (operations, bytes) = takes(&members);
        if !left.take(operations, bytes) && !open.is_empty() {
            batches.push(std::mem::take(&mut open));
            members.clear();
            left = budget;
            let (operations, bytes) = takes(&members);
            // Too much alone, it is tried alone.
            left.take(operations, bytes);
        }
        members.extend(its);
        open.push(decision);
    }
    if !open.is_empty() {
        batches.push(open);
    }
    batches
}

async fn commit(common: &Common, planner: &Claimed, batch: &[Decision]) -> Result<Position> {
    let (map, mode) = (&common.map, common.settings.shape.mode);
    let committed = map.transact(|txn| {
        planner.require_in(txn)?;
        for decision in batch {
            let (row, seen, wanted) = (&decision.row, &decision.seen, &decision.change);
            let key = row_key(*row);
            let record = match txn.get(map, key.as_str()) {
                Err(error) if *error.kind() == ErrorKind::Codec => continue,
                record => record?,
            };
            let now = match record.as_deref() {
                Some(Record::Row(row)) => Some(row),
                Some(_) => continue,
                None => None,
            };
            if now != seen.as_deref() {
                continue;
            }
            let mut failed = None;
            let made = change(mode, now, wanted, None, |who| {
                let is_given = decision.target() == Some(who);
                is_live(txn, common, who, is_given).unwrap_or_else(|error| {
                    failed = Some(error);
                    false
                })
            });
            match (failed, made) {
                (Some(error), _) if *error.kind() == ErrorKind::Codec => {}
                (Some(error), _) => return Err(error),
                (None, Some(made)) => txn.put(map, key, Record::Row(made))?,
                (None, None) => {}
            }
        }
        Ok(())
    });
    landed(committed.await.map(|committed| committed.position()))
}

/// Whether a life of a member is there; the transaction is committed only while that is so. Whoever is to be given something
/// must not be leaving besides: it may have seen that it has nothing left, and be gone the next moment.
fn is_live(txn: &mut Txn<'_>, common: &Common, who: &Incarnation, is_given: bool) -> Result<bool> {
    let Some(entry) = txn.get_entry(&common.map, member_key(who.id()))? else {
        return Ok(false);
    };
    let takes = match &**entry.value() {
        Record::Member(member) => member.is_up() || !is_given,
        _ => false,
    };
    Ok(takes && entry.created().revision().0 == who.created())
}

/// The shards are spread as evenly as may be: what an operator asked for is done.
///
/// # Errors
/// As a write; `NotHeld` when somebody else plans.
pub(crate) async fn rebalanced(common: &Common, planner: &Claimed) -> Result<Position> {
    let deleted = common.map.transact(|txn| {
        planner.require_in(txn)?;
        txn.delete(&common.map, REBALANCE)
    });
    landed(deleted.await.map(|deleted| deleted.position()))
}

/// Where it landed, whether or not that is visible here yet.
fn landed(outcome: Result<Position>) -> Result<Position> {
    outcome.or_else(|error: Error| match *error.kind() {
        ErrorKind::Behind(position) => Ok(position),
        _ => Err(error),
    })
}
