//! A web service whose rate limit and log level are live settings: changed while it runs, on all its instances at once.
//!
//! ```sh
//! cargo run -p config-service            # shows itself through, with nothing but Rust; each line of it begins with `ok`
//! cargo run -p config-service -- serve   # serves at http://127.0.0.1:8080, until Ctrl-C
//! ```
//!
//! On etcd, `GLOBE_LOG=etcd://127.0.0.1:2379` before each, and `--features etcd`: the first then asks you to stop and to start
//! etcd. While it serves (`web-7`; `serve web-8 127.0.0.1:8081` is a second one, which shares the settings on etcd):
//!
//! ```sh
//! curl localhost:8080/hello                                   # 429 when it is called too often
//! curl localhost:8080/settings                                # what is set, by which layer, by whom, since when
//! curl -X PUT 'localhost:8080/settings/http.limit/global?by=anna' --json '{"per_second":1,"burst":3}'
//! curl -X PUT 'localhost:8080/settings/log.level/host:web-7?by=anna' --json '"debug"'
//! curl 'localhost:8080/history/http.limit?layer=global'
//! curl -X POST 'localhost:8080/settings/http.limit/undo?by=anna' --json '{"layer":"global","back":1}'
//! curl localhost:8080/healthz                                 # 200 as long as it serves; how old its settings may be
//! curl -i localhost:8080/readyz                               # 200 when it may be given requests
//! etcdctl put config/http.limit/global '{"per_second":5,"burst":5}'   # that is a publish, too
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

mod demo;
mod health;
mod knob;
mod level;
mod limit;
mod power;
mod refusal;
mod routes;
mod service;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use globe_stage::{Outcome, Place, tell};
use tokio::net::TcpListener;

use crate::level::Levels;
use crate::service::Service;

#[tokio::main]
async fn main() -> ExitCode {
    let levels = Levels::install();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let served = match *words.as_slice() {
        // Longer where a person is asked to stop a server.
        [] => return tell(Duration::from_secs(120), demo::story(&levels)).await,
        ["serve"] => serve("web-7", "127.0.0.1:8080", &levels).await,
        ["serve", instance, address] => serve(instance, address, &levels).await,
        _ => Err("type: config-service [serve [INSTANCE ADDRESS]]".into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "it has ended");
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is told to stop, and finishes what it has begun.
async fn serve(instance: &str, address: &str, levels: &Levels) -> Outcome {
    let place = Place::of_this_process(instance, "config").await?;
    let listener = TcpListener::bind(address).await?;
    // Where systemd says that a service may keep what outlives it (`StateDirectory=`).
    let copies = std::env::var_os("STATE_DIRECTORY").map_or_else(std::env::temp_dir, PathBuf::from);
    let copies = copies.join("globe-config-service");
    let service = Service::start(place.log, &place.keyspace, instance, &copies)?;
    let service = Arc::new(service);
    let _levels = levels.follow(&service.level);
    tracing::info!(%instance, %address, "serving");
    let stop = async move { place.stop.cancelled().await };
    let serving = axum::serve(listener, routes::routes(service));
    Ok(serving.with_graceful_shutdown(stop).await?)
}
