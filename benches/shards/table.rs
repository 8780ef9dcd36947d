//! A table of 10,000 shards and 50 members, with rows as another program would write them.
//!
//! Its members never join: nothing moves while it is looked at.

use globe::shards::{Mode, Shards, Table};
use globe::{Globe, MemoryLog, Result};
use serde_json::{Value, json};

pub(crate) const SHARDS: u32 = 10_000;
pub(crate) const MEMBERS: u32 = 50;

/// A table, and the handle that keeps it. Its rows are owned by all members, if there are rows; the first `gone` members are
/// dead.
pub(crate) async fn table(has_rows: bool, gone: u32) -> Result<(Shards, Table)> {
    let log = MemoryLog::new();
    let shards = Shards::builder(log.clone(), "table")
        .slots(SHARDS)
        .mode(Mode::Strict);
    let shards = shards.open().await?;
    let map: Globe<String, Value> = Globe::open(log, "table").await?;
    let there = (gone..MEMBERS).map(|number| (member(number), json!({ "state": "up" })));
    map.put_all(there).await?;
    if has_rows {
        let lives: Vec<String> = (0..MEMBERS).map(|number| life(&map, number)).collect();
        let owners = lives.iter().cycle().zip(0..SHARDS);
        let row = |(owner, shard)| {
            (
                format!("row/{shard:05}"),
                json!({ "owner": owner, "term": 1 }),
            )
        };
        map.put_all(owners.map(row)).await?;
    }
    shards.sync().await?;
    let table = shards.table();
    Ok((shards, table))
}

fn member(number: u32) -> String {
    format!("member/w{number:02}")
}

/// Of a dead one it is any that is not there.
fn life(map: &Globe<String, Value>, number: u32) -> String {
    let entry = map.get_entry(&member(number));
    let created = entry.map_or(0, |entry| entry.created().revision().0);
    format!("w{number:02}@{created}")
}
