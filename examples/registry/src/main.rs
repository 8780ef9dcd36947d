//! Two services that find each other, through pickers and through a balancer of tower: one member is killed, one drains.
//!
//! ```sh
//! cargo run -p registry-service     # all in one process, with nothing but Rust
//! GLOBE_LOG=etcd://127.0.0.1:2379 cargo run -p registry-service --features etcd     # four processes, on a server
//! ```
//!
//! `gateway` asks one of three members of `greeter` to greet somebody, and that asks `gateway` for his name. It prints who greeted
//! how often; that calls go on while `greeter-1` is killed; and that `greeter-2`, which is told to stop, gets no new calls and
//! finishes those that it has. Each line of what one should see begins with `ok`.
//!
//! With `GLOBE_LOG` as above, members by hand, each in a terminal of its own, which Ctrl-C lets drain and leave:
//!
//! ```sh
//! cargo run -p registry-service --features etcd -- greeter g1
//! cargo run -p registry-service --features etcd -- greeter g2
//! cargo run -p registry-service --features etcd -- gateway gw1 127.0.0.1:8080
//! curl localhost:8080/hello/1       # by a picker
//! curl localhost:8080/balanced/2    # by tower
//! curl localhost:8080/members       # who is there
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]
#![allow(clippy::print_stderr, reason = "an example prints")]

mod address;
mod asker;
mod balanced;
mod demo;
mod gateway;
mod greeter;
mod instance;
mod presence;
mod tally;

use std::process::ExitCode;
use std::time::Duration;

use globe_stage::{Outcome, Place, tell};

/// Where members by hand meet.
const KEYSPACE: &str = "example-services";
/// A free port of this host.
const ANYWHERE: &str = "127.0.0.1:0";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = match *words.as_slice() {
        [] => return tell(Duration::from_secs(60), demo::story()).await,
        ["greeter", name] => greeter(name, ANYWHERE).await,
        ["greeter", name, at] => greeter(name, at).await,
        ["gateway", name] => gateway(name, ANYWHERE).await,
        ["gateway", name, at] => gateway(name, at).await,
        _ => Err("type: registry-service [greeter|gateway NAME [ADDRESS]]".into()),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("it has ended: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn greeter(name: &str, at: &str) -> Outcome {
    let place = Place::of_this_process(name, KEYSPACE).await?.shared()?;
    greeter::run(place, at).await
}

async fn gateway(name: &str, at: &str) -> Outcome {
    let place = Place::of_this_process(name, KEYSPACE).await?.shared()?;
    gateway::run(place, at).await
}
