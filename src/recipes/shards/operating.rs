//! What operators do to a table: pin, drain, rebalance, weigh, split and merge; and how it is doing.
//!
//! Never moves a shard itself: it says what is wanted, and the planner moves it by the steps that all agree on.

use std::time::Duration;

use crate::recipes::name::escaped;
use crate::recipes::shards::handle::Shards;
use crate::recipes::shards::record::{REBALANCE, Record, RowId, drained_key, row_key};
use crate::recipes::shards::row::{Row, Stage};
use crate::recipes::shards::table::Table;
use crate::{Error, ErrorKind, Result, Txn};

/// How a table is doing, as this process sees it: see [`Shards::status`].
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct ShardsStatus {
    /// The name of the session that plans; nothing moves while none does.
    pub planner: Option<String>,
    /// How many members there are.
    pub members: usize,
    /// How many rows nobody owns, or a member that is gone.
    pub unowned: usize,
    /// How many rows are on their way from one member to another.
    pub moving: usize,
    /// How many rows have been preparing or draining for longer than `prepare_timeout`: no drain is ever forced, so somebody
    /// should look.
    pub stuck: usize,
    /// How many records of the keyspace cannot be read.
    pub unreadable: usize,
    /// How old the table may be; nothing before the log was ever heard.
    pub age: Option<Duration>,
}

impl Shards {
    /// How the table is doing, as this process sees it. Local, without waiting; costs a look at each row.
    #[must_use]
    pub fn status(&self) -> ShardsStatus {
        let (common, table) = (self.common(), self.table());
        let rows = table.rows().map(|(_, _, row)| row);
        let moving = rows.filter(|row| row.stage() != Stage::Settled).count();
        let all = table.len() as usize * table.replicas() as usize;
        let status = common.map.status();
        ShardsStatus {
            planner: table.planner().map(str::to_owned),
            members: table.members().count(),
            unowned: all.saturating_sub(table.owned()),
            moving,
            stuck: common.stuck(),
            unreadable: common.map.quarantine().len(),
            age: status.staleness,
        }
    }

    /// Wants a shard to be at a member, whenever that is up, whatever balance says; or nowhere in particular again. It stays so
    /// until it is changed. Of a shard with several owners it is about the first.
    ///
    /// # Errors
    /// `Invalid` for a shard that is not there, or has never had an owner, and for an id without characters; otherwise as a write.
    pub async fn pin(&self, shard: u32, member: Option<&str>) -> Result<()> {
        let member = member
            .map(|id| escaped("member of a shard table", id))
            .transpose()?;
        self.rewrite(shard, |row| Row {
            pin: member.clone(),
            ..row
        })
        .await
    }

    /// Says how much of a member's capacity a shard takes, beside others: 1 to 1,000,000. (1.)
    ///
    /// # Errors
    /// As [`Shards::pin`]; `Invalid` for another weight.
    pub async fn weigh(&self, shard: u32, weight: u32) -> Result<()> {
        if !(1..=1_000_000).contains(&weight) {
            let why = format!(
                "the shard {shard} is to have the weight {weight}: 1 to 1,000,000 is allowed"
            );
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        self.rewrite(shard, |row| Row { weight, ..row }).await
    }

    /// Wants a member to have nothing, or to take shards again: in all its lives, until it is changed. It may or may not be
    /// there. `by` is who wants it.
    ///
    /// # Errors
    /// `Invalid` for an id without characters; otherwise as a write.
    pub async fn drain(&self, member: &str, is_drained: bool, by: &str) -> Result<()> {
        let (map, key) = (
            &self.common().map,
            drained_key(&escaped("member of a shard table", member)?),
        );
        match is_drained {
            true => {
                let drained_by = by.to_owned();
                map.put(key, Record::Drained { drained_by }).await.map(drop)
            }
            false => map.delete(key).await.map(drop),
        }
    }

    /// Wants the shards to be spread evenly now, though members have come or gone of late. Returns when that is asked for, not
    /// when it is done: [`ShardsStatus::moving`] says.
    ///
    /// # Errors
    /// As a write.
    pub async fn rebalance(&self, by: &str) -> Result<()> {
        let rebalanced_by = by.to_owned();
        let record = Record::Rebalance { rebalanced_by };
        self.common().map.put(REBALANCE, record).await.map(drop)
    }

    /// Divides a range in two at a key, which begins the second; the number of that. Both are the owner's of before, in a term
    /// after all terms they had.
    ///
    /// # Errors
    /// `Invalid` for a table of slots, where a range begins there already, and while the shard moves; otherwise as a write.
    pub async fn split(&self, at: &str) -> Result<u32> {
        let (map, table) = (&self.common().map, self.ranges()?);
        let shard = table.shard_of(at);
        let last = table.shards().max().unwrap_or_default();
        let new = last
            .checked_add(1)
            .ok_or_else(|| invalid("there are no numbers left".to_owned()))?;
        let split = map.transact(|txn| {
            for replica in 0..table.replicas() {
                let row = self.settled(txn, RowId { shard, replica })?;
                if row.from.as_deref().unwrap_or_default() >= at {
                    return Err(invalid(format!("a range begins at {at:?} already")));
                }
                let low = row.handed_to(&row.owner);
                let high = Row {
                    from: Some(at.to_owned()),
                    pin: None,
                    ..low.clone()
                };
                let key = row_key(RowId {
                    shard: new,
                    replica,
                });
                if txn.contains_key(map, key.as_str())? {
                    return Err(invalid(format!(
                        "the shard {new} has come meanwhile: try again"
                    )));
                }
                txn.put(map, row_key(RowId { shard, replica }), Record::Row(low))?;
                txn.put(map, key, Record::Row(high))?;
            }
            Ok(())
        });
        split.await.map(|_| new)
    }

    /// Makes one range of the one that begins at a key and the one before it, whose number it has from then on. Both must have
    /// the same owners.
    ///
    /// # Errors
    /// `Invalid` for a table of slots, where no range begins there, and while one of both moves or they have different owners;
    /// otherwise as a write.
    pub async fn merge(&self, at: &str) -> Result<u32> {
        let (map, table) = (&self.common().map, self.ranges()?);
        let place = table.ranges.iter().position(|(from, _)| from == at);
        let pair = place.and_then(|place| {
            let before = table.ranges.get(place.checked_sub(1)?)?;
            Some((before.1, table.ranges.get(place)?.1))
        });
        let (low, high) = pair.ok_or_else(|| invalid(format!("no range begins at {at:?}")))?;
        let merged = map.transact(|txn| {
            for replica in 0..table.replicas() {
                let row = self.settled(
                    txn,
                    RowId {
                        shard: low,
                        replica,
                    },
                )?;
                let gone = self.settled(
                    txn,
                    RowId {
                        shard: high,
                        replica,
                    },
                )?;
                if gone.owner != row.owner || gone.from.as_deref() != Some(at) {
                    return Err(invalid(format!(
                        "the ranges on both sides of {at:?} have different owners"
                    )));
                }
                let merged = Row {
                    term: row.term.max(gone.term).saturating_add(1),
                    ..row
                };
                txn.put(
                    map,
                    row_key(RowId {
                        shard: low,
                        replica,
                    }),
                    Record::Row(merged),
                )?;
                txn.delete(
                    map,
                    row_key(RowId {
                        shard: high,
                        replica,
                    }),
                )?;
            }
            Ok(())
        });
        merged.await.map(|_| low)
    }

    fn ranges(&self) -> Result<Table> {
        let table = self.table();
        match table.shape.slots {
            None => Ok(table),
            Some(slots) => Err(invalid(format!(
                "the table is of {slots} slots: only ranges are split and merged"
            ))),
        }
    }

    /// A row as it is in a transaction, settled.
    fn settled(&self, txn: &mut Txn<'_>, id: RowId) -> Result<Row> {
        let shard = id.shard;
        let record = txn.get(&self.common().map, row_key(id))?;
        match record.as_deref() {
            Some(Record::Row(row)) if row.stage() == Stage::Settled => Ok(row.clone()),
            Some(Record::Row(_)) => Err(invalid(format!(
                "the shard {shard} is moving: try again when it has moved"
            ))),
            _ => Err(invalid(format!("the shard {shard} has no owner yet"))),
        }
    }

    /// Rewrites what a row says besides whose it is.
    async fn rewrite(&self, shard: u32, change: impl Fn(Row) -> Row) -> Result<()> {
        let (map, key) = (&self.common().map, row_key(RowId { shard, replica: 0 }));
        let rewritten = map.transact(|txn| {
            let record = txn.get(map, key.as_str())?;
            let Some(Record::Row(row)) = record.as_deref() else {
                return Err(invalid(format!(
                    "the shard {shard} is not there, or has no owner yet"
                )));
            };
            txn.put(map, key.as_str(), Record::Row(change(row.clone())))
        });
        rewritten.await.map(drop)
    }
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::Invalid, why)
}
