//! A plan for 10,000 shards and 50 members, in each of its situations, beside a bare look at all rows.
//!
//! Nothing that is planned is done.

use std::hint::black_box;

use globe::Result;
use globe::shards::{Balance, Planner, Situation};
use globe_bench::{Target, Turns, report, rounds};
use tokio::runtime::Runtime;

use crate::table::table;

const ROUNDS: usize = 51;

/// What there is to plan, whether the shards have owners, and how many of these are dead.
const SITUATIONS: [(&str, bool, u32); 3] = [
    ("all shards, for the first time", false, 0),
    ("the shards of one member that is gone", true, 1),
    ("nothing, since all are balanced", true, 0),
];

/// Asked is that a plan takes less than 10 ms.
const MOST: f64 = 10e6;

pub(crate) fn measure(runtime: &Runtime) -> Result<()> {
    // Every row is looked at, also where none is there yet.
    let (_full, all) = runtime.block_on(table(true, 0))?;
    for (what, has_rows, gone) in SITUATIONS {
        let (_shards, table) = runtime.block_on(table(has_rows, gone))?;
        let planner = Balance::default();
        let plan = || {
            black_box(planner.plan(&Situation::new(&table).settled(true)));
            1
        };
        let look = || {
            black_box(all.rows().map(|(_, _, row)| row.term).sum::<u64>());
            1
        };
        let turns = Turns::take(rounds(ROUNDS), plan, look);
        let figure =
            format!("a plan of 10 k shards and 50 members, of {what}, beside a look at 10 k rows");
        report(&figure, &turns, Target::Under(MOST));
    }
    Ok(())
}
