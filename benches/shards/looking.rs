//! Who owns a key, asked of the handle and of a table, beside a hash map of the keys in an `ArcSwap`.
//!
//! Nobody changes the table meanwhile.

use std::collections::HashMap;
use std::hint::black_box;

use arc_swap::ArcSwap;
use globe::Result;
use globe_bench::{Target, Turns, key, report, rounds};
use tokio::runtime::Runtime;

use crate::table::table;

/// Many short rounds, so that most of them fall between two interruptions.
const ROUNDS: usize = 501;
const KEYS: usize = 1_000;

pub(crate) fn compare(runtime: &Runtime) -> Result<()> {
    let (shards, table) = runtime.block_on(table(true, 0))?;
    let keys: Vec<String> = (0..KEYS).map(key).collect();
    let owners = keys.iter().map(|key| (key.clone(), table.owner_of(key)));
    let bare: ArcSwap<HashMap<String, _>> = ArcSwap::from_pointee(owners.collect());
    let beside_bare = |ours: &dyn Fn(&String)| {
        let all = |look: &dyn Fn(&String)| {
            keys.iter().for_each(look);
            KEYS
        };
        let bare = |key: &String| drop(black_box(bare.load().get(key).cloned()));
        Turns::take(rounds(ROUNDS), || all(ours), || all(&bare))
    };
    report(
        "`owner_of` a key of 30 bytes, of 10 k shards, beside a `HashMap` of 1 k keys in an `ArcSwap`",
        &beside_bare(&|key| drop(black_box(shards.owner_of(key)))),
        Target::Under(100.0),
    );
    report(
        "the same, of a table that is at hand",
        &beside_bare(&|key| drop(black_box(table.owner_of(key)))),
        Target::Under(100.0),
    );
    Ok(())
}
