//! Transactions of five reads and a write, beside those of an STM that asks the server for each read, as etcd's own client for Go
//! has one: prints rows of a Markdown table.
//!
//! It starts a server of its own, and leaves none behind.

mod hand;
mod numbers;
mod run;
mod stand;
mod stm;

use globe_bench::{
    Contest, Target, Unit, either, print_head, report_contest, report_contest_for, rounds,
};
use globe_test_support::{EtcdServer, EtcdVersion};

use crate::hand::{BOTH, NAMES};
use crate::numbers::Numbers;
use crate::run::Run;
use crate::stand::Stand;

type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The table they stand in.
const GROUP: &str = "transactions";

/// How many make transactions at once.
const WORKERS: [usize; 3] = [1, 16, 64];

const ROUNDS: usize = 15;

/// A third.
const MOST: f64 = 0.333;

#[tokio::main]
async fn main() -> Done {
    print_head(&NAMES.map(str::to_owned));
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let stand = Stand::open(&server.endpoint()).await?;
    for numbers in [Numbers::Own, Numbers::Hot] {
        for workers in WORKERS {
            compare(&stand, numbers, workers).await?;
        }
    }
    Ok(())
}

async fn compare(stand: &Stand, numbers: Numbers, workers: usize) -> Done {
    let mut each = Contest::of(Unit::Time, NAMES);
    let mut late = Contest::of(Unit::Time, NAMES);
    let mut again = Contest::of(Unit::Count, NAMES);
    for round in 0..rounds(ROUNDS) {
        let mut took = [(); 2].map(|()| Run::default());
        for turn in Contest::turns(round, BOTH.len()) {
            took[turn] = stand.run(BOTH[turn], numbers, workers).await?;
        }
        each.count(took.each_ref().map(Run::each).to_vec());
        late.count(took.each_ref().map(Run::late).to_vec());
        again.count(took.each_ref().map(Run::again).to_vec());
    }
    let of = format!("{workers} at once, {}", numbers.name());
    report_contest_for(GROUP, &format!("{of}: each"), &each, Target::Times(MOST));
    report_contest(GROUP, &format!("{of}: 99 of 100 took at most"), &late);
    report_contest(GROUP, &format!("{of}: times one was tried again"), &again);
    Ok(())
}

/// How long transactions are made each time.
fn a_while() -> tokio::time::Duration {
    tokio::time::Duration::from_millis(either(300, 180))
}
