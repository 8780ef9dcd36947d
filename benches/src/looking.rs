//! What a process does that only looks on at etcd: it says what its map, and a bare watch, show it as soon as they do.
//!
//! It never ends by itself.

use etcd_client::{Client, WatchOptions};
use globe::{EtcdLog, Globe};
use tokio::runtime::Runtime;

use crate::onlooker::{Done, Onlooker};

/// Looks on until it is killed, if this is the process for that: at the keyspace `latency` (`globe`), and at what begins with
/// `raw/` (`raw`).
pub fn looks_on(runtime: &Runtime) -> Option<Done> {
    let endpoint = Onlooker::is_this()?;
    Some(runtime.block_on(look_on(&endpoint)))
}

#[expect(clippy::print_stdout, reason = "that is how it is heard")]
async fn look_on(endpoint: &str) -> Done {
    let globe: Globe<String, u64> =
        Globe::open(EtcdLog::connect([endpoint]).await?, "latency").await?;
    let mut watch = globe.watch();
    let mut client = Client::connect([endpoint], None).await?;
    let options = WatchOptions::new().with_prefix();
    let mut raw = client.watch("raw/", Some(options)).await?;
    println!("ready");
    loop {
        tokio::select! {
            Some(_) = watch.next() => println!("globe"),
            message = raw.message() => match message? {
                Some(message) if message.events().is_empty() => {}
                Some(_) => println!("raw"),
                None => return Ok(()),
            },
        }
    }
}
