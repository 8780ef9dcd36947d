//! What one more map, and one more process, cost an etcd server and its clients, beside bare watches: prints rows of a Markdown
//! table.
//!
//! It starts servers of its own, and itself once more as each of the processes; it leaves none behind.

mod crowd;
mod follower;
mod growth;
mod point;
mod sample;
mod table;
mod writer;

use globe_bench::{Done, Onlooker, either, print_head};
use tokio::runtime::Runtime;

use crate::follower::{Load, follow};
use crate::growth::Growth;

fn main() -> Done {
    let runtime = Runtime::new()?;
    if let Some(what) = Onlooker::is_this() {
        return runtime.block_on(follow(&what));
    }
    print_head(&follower::NAMES.map(str::to_owned));
    let maps = Growth {
        group: "growth_maps",
        noun: "map",
        numbers: either(&[1, 10, 100, 1_000], &[1, 100]),
        load: |maps| Load {
            processes: 1,
            maps,
            entries: 1,
            keyspaces: maps,
        },
        beside: Some(table::ONE_OF_MANY),
    };
    let measured = maps.measure(&runtime)?;
    table::report(&maps, &measured);
    table::report_many(&maps, &measured);
    let processes = Growth {
        group: "growth_processes",
        noun: "process",
        numbers: either(&[1, 5, 10, 20, 50], &[1, 10]),
        load: |processes| Load {
            processes,
            maps: 1,
            entries: 1_000,
            keyspaces: 1,
        },
        beside: None,
    };
    table::report(&processes, &processes.measure(&runtime)?);
    Ok(())
}
