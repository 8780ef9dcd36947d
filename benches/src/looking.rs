//! What a process does that only looks on at etcd: it says what its map, and a bare watch, show it as soon as they do.
//!
//! It never ends by itself, and never says a word of what is written only so that there is something else to do.

use etcd_client::{Client, Event, EventType, WatchOptions};
use globe::{Change, EtcdLog, Globe};
use tokio::runtime::Runtime;

use crate::onlooker::{Done, Onlooker};

/// What is in the keys that it is silent about.
pub const NOISE: &str = "noise/";

/// Looks on until it is killed, if this is the process for that: at the keyspace `latency`, and at what begins with `raw/`. A
/// line is `globe KEY=VALUE` or `raw KEY=VALUE`, after what shows it, and ends with the key if that is gone.
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
            Some(changes) = watch.next() => changes.iter().filter_map(in_map).for_each(|line| println!("{line}")),
            message = raw.message() => match message? {
                Some(message) => message.events().iter().filter_map(in_watch).for_each(|line| println!("{line}")),
                None => return Ok(()),
            },
        }
    }
}

fn in_map(change: &Change<String, u64>) -> Option<String> {
    let value = change.new_value().map(|value| format!("={value}"));
    let is_told = !change.key().contains(NOISE);
    is_told.then(|| format!("globe {}{}", change.key(), value.unwrap_or_default()))
}

fn in_watch(event: &Event) -> Option<String> {
    let record = event.kv()?;
    let key = record.key_str().ok()?.strip_prefix("raw/")?;
    let value = match event.event_type() {
        EventType::Put => format!("={}", record.value_str().ok()?),
        EventType::Delete => String::new(),
    };
    (!key.contains(NOISE)).then(|| format!("raw {key}{value}"))
}
