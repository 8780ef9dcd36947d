//! Workers that divide the shards of a service among them: restarted without a gap, and followed when they die.
//!
//! ```sh
//! cargo run -p shards-service     # five workers in one process, with nothing but Rust
//! GLOBE_LOG=etcd://127.0.0.1:2379 cargo run -p shards-service --features etcd     # five processes, on a server
//! ```
//!
//! It prints who owns what: with all five up; while `w3` is restarted, when each shard has an owner at each moment, and every
//! request is answered; when `w4` was killed, and its shards are owned again after its time to live and a moment; and at the end.
//! Each line of what one should see begins with `ok`.
//!
//! With `GLOBE_LOG` as above, workers by hand, each in a terminal of its own, which Ctrl-C lets leave in order:
//!
//! ```sh
//! cargo run -p shards-service --features etcd -- worker w1
//! cargo run -p shards-service --features etcd -- worker w2
//! cargo run -p shards-service --features etcd -- owners      # who owns what, whenever that changes
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]
#![allow(clippy::print_stderr, reason = "an example prints")]

mod audit;
mod demo;
mod ledger;
mod onlooker;
mod orders;
mod picture;
mod router;
mod traffic;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use globe_stage::{Outcome, Place, tell};

/// Where workers by hand meet.
const KEYSPACE: &str = "example-shards";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = match *words.as_slice() {
        [] => return tell(Duration::from_secs(60), demo::story()).await,
        ["worker", name] => worker(name).await,
        ["owners"] => owners().await,
        _ => Err("type: shards-service [worker NAME | owners]".into()),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("it has ended: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn worker(name: &str) -> Outcome {
    let place = Place::of_this_process(name, KEYSPACE).await?.shared()?;
    worker::run(place).await
}

async fn owners() -> Outcome {
    let place = Place::of_this_process("owners", KEYSPACE).await?.shared()?;
    let shards = worker::table(place.log, &place.keyspace).open().await?;
    let (mut table, mut shown) = (shards.table(), String::new());
    loop {
        let picture = picture::of(&table);
        if picture != shown {
            println!("{picture}\n");
            shown = picture;
        }
        table = tokio::select! {
            table = shards.changed(table.position()) => table,
            () = place.stop.cancelled() => return Ok(()),
        };
    }
}
