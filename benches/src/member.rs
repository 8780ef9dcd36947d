//! Members of a shard table that do at once what they are told, for what becomes of it when one of them dies.
//!
//! They serve nothing: what is measured is who owns what.

use globe::shards::{Mode, ShardMember, Step, Table};
use globe::{LogClient, Result, Session, Shards};
use tokio::time::{Duration, sleep};

/// Of the members' sessions.
pub const TTL: Duration = Duration::from_secs(3);

/// How many shards their table has.
pub const SHARDS: u32 = 2_000;

/// How many members own it, when none is dead.
pub const MEMBERS: usize = 10;

/// Opens the table.
///
/// # Errors
/// As [`ShardsBuilder::open`](globe::shards::ShardsBuilder::open).
pub async fn open_table(log: impl LogClient) -> Result<Shards> {
    let table = Shards::builder(log, "table")
        .slots(SHARDS)
        .mode(Mode::Strict);
    table.settle(Duration::from_secs(1)).open().await
}

/// Is a member, for as long as it is polled.
///
/// # Errors
/// As each of what it does.
pub async fn serve(log: impl LogClient + Clone, id: &str) -> Result<()> {
    let shards = open_table(log.clone()).await?;
    let session = Session::builder(log).name(id).ttl(TTL).open().await?;
    let mut worker = shards.join(&session, ShardMember::new(id)).await?;
    while let Some(step) = worker.next().await {
        match step {
            // What it waits for is of no interest.
            Step::Prepare(step) => drop(step.done()),
            Step::Drain(step) => drop(step.done()),
            _ => {}
        }
    }
    Ok(())
}

/// Waits until so many members are there, each owns nearly its share, and nothing moves.
pub async fn balanced(shards: &Shards, members: usize) {
    let least = SHARDS as usize / members * 9 / 10;
    let is_balanced = |table: &Table| {
        let rests = table.rows().all(|(_, _, row)| row.next.is_none());
        let has_its_share = |id: &str| {
            let owns = |shard: &u32| {
                table
                    .owner_of_shard(*shard)
                    .is_some_and(|owner| owner.member().id() == id)
            };
            table.shards().filter(owns).count() >= least
        };
        table.members().count() == members
            && rests
            && table.members().all(|member| has_its_share(member.id()))
    };
    while !is_balanced(&shards.table()) {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a member is there no more, and every shard has an owner who is.
pub async fn healed(shards: &Shards, dead: &str) {
    let is_healed = |table: &Table| {
        let mut all = table.shards();
        table.member(dead).is_none() && all.all(|shard| table.owner_of_shard(shard).is_some())
    };
    while !is_healed(&shards.table()) {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Who of the members is killed: the one that plans, every other time, and else the last of the others.
#[must_use]
pub fn victim<'a>(
    shards: &Shards,
    death: u32,
    members: impl DoubleEndedIterator<Item = &'a String>,
) -> Option<String> {
    let table = shards.table();
    // By the name of its session.
    let planner = table.planner()?;
    let mut members = members.filter(|id| (*id == planner) == (death % 2 == 1));
    members.next_back().cloned()
}

/// How many deaths are measured.
pub const DEATHS: u32 = 9;

/// How long after the others are in balance a member is killed: each time as long after another part of the pause between
/// two renewals.
#[must_use]
pub fn before(death: u32) -> Duration {
    TTL / 3 * death / DEATHS
}
