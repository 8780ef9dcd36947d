//! Transactions over several maps of one log: what was read is validated at the commit.
#![allow(clippy::print_stdout, reason = "an example prints")]

use globe::{Expected, Globe, Result, Txn};

type Accounts = Globe<String, i64>;
type Counters = Globe<String, u64>;

/// Moves money and counts it, whole or not at all. Called again if somebody came in between.
fn transfer(txn: &mut Txn<'_>, bank: &Accounts, counters: &Counters, amount: i64) -> Result<()> {
    let alice = txn.get(bank, "alice")?.map_or(0, |balance| *balance);
    if alice < amount {
        return Err(txn.abort(format!("alice has {alice}, which is less than {amount}")));
    }
    let bob = txn.get(bank, "bob")?.map_or(0, |balance| *balance);
    let count = txn.get(counters, "transfers")?.map_or(0, |count| *count);
    txn.put(bank, "alice", alice - amount)?;
    txn.put(bank, "bob", bob + amount)?;
    txn.put(counters, "transfers", count + 1)
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("GLOBE_LOG").unwrap_or_else(|_| "memory:".into());
    let log = globe::connect(&url).await?;
    // Keyspaces of this run alone: nobody else's map is touched.
    let run = fastrand::u64(..);
    let bank: Accounts = Globe::open(log.clone(), &format!("example-accounts-{run:x}")).await?;
    let counters: Counters = Globe::open(log, &format!("example-counters-{run:x}")).await?;
    bank.put_all([("alice".into(), 100), ("bob".into(), 0)])
        .await?;

    // Eight at once: each conflict is noticed at the commit and tried again, so none is lost.
    let one = || bank.transact(|txn| transfer(txn, &bank, &counters, 10));
    futures::future::try_join_all((0..8).map(|_| one())).await?;
    println!("alice {:?}, bob {:?}", bank.get("alice"), bank.get("bob"));
    println!("counted: {:?}", counters.get("transfers"));

    let refused = bank
        .transact(|txn| transfer(txn, &bank, &counters, 1_000))
        .await;
    println!(
        "too much: {}",
        refused.map_or_else(|error| error.to_string(), |_| "done".into())
    );

    // Views of both maps at one position: a transfer is in both, or in none.
    let (accounts, counted) = globe::consistent_views((&bank, &counters)).await?;
    println!(
        "{:?} for bob, {:?} transfers",
        accounts.get("bob"),
        counted.get("transfers")
    );

    // Compare-and-swap on one key: somebody writes it after it was seen.
    let seen = bank
        .get_entry("bob")
        .map_or(Expected::Absent, |entry| entry.version().into());
    bank.put("bob", 81).await?;
    let late = bank.put_if("bob", 0, seen).await;
    println!(
        "too late: {}",
        late.map_or_else(|error| error.to_string(), |put| put.position().to_string())
    );

    // What this run wrote.
    bank.clear().await?;
    counters.clear().await?;
    Ok(())
}
