//! A process that follows keyspaces, with maps or with bare watches, and says when each of them has shown the last write.
//!
//! It measures nothing, not even itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use etcd_client::{Client, Event, WatchOptions};
use globe::Globe;
use globe_bench::{Done, key};
use tokio::time::{Duration, sleep};

/// What is written last.
pub(crate) const LAST: u64 = u64::MAX;

/// How often it is looked whether that was shown: as seldom as one can wait for it, since it is part of what a quiet process takes.
const LOOK: Duration = Duration::from_millis(250);

/// Who follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Ours,
    Bare,
}

pub(crate) const BOTH: [Who; 2] = [Who::Ours, Who::Bare];
pub(crate) const NAMES: [&str; 2] = ["Globe", "bare watches"];

/// How many processes follow, how many keyspaces each, how many entries these have, and how many there are that are written to:
/// those that are followed, or more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) processes: usize,
    pub(crate) maps: usize,
    pub(crate) entries: usize,
    pub(crate) keyspaces: usize,
}

pub(crate) fn keyspace(number: usize) -> String {
    format!("map-{number}")
}

/// What a process is told to do.
pub(crate) fn order(who: Who, load: Load, address: &str) -> String {
    let name = match who {
        Who::Ours => "ours",
        Who::Bare => "bare",
    };
    format!("{name} {} {} {address}", load.maps, load.entries)
}

/// Does what it is told, until it is killed.
pub(crate) async fn follow(order: &str) -> Done {
    let words: Vec<_> = order.split(' ').collect();
    let &[who, maps, entries, address] = &words[..] else {
        return Err(format!("{order:?} is no order").into());
    };
    let (maps, entries) = (maps.parse()?, entries.parse()?);
    match who {
        "ours" => with_maps(maps, entries, address).await,
        _ => with_watches(maps, address).await,
    }
}

async fn with_maps(maps: usize, entries: usize, address: &str) -> Done {
    let url = format!("etcd://{address}");
    let mut all: Vec<Globe<String, u64>> = Vec::new();
    for number in 0..maps {
        let map = Globe::connect(&url, &keyspace(number)).await?;
        if map.len() != entries {
            return Err(format!("{} entries of {entries}", map.len()).into());
        }
        all.push(map);
    }
    let first = key(0);
    let shows = |map: &Globe<String, u64>| map.get(&first).is_some_and(|value| *value == LAST);
    say_when(|| all.iter().all(shows)).await
}

/// By one client, as the maps of a process share one.
async fn with_watches(watches: usize, address: &str) -> Done {
    let mut client = Client::connect([format!("http://{address}")], None).await?;
    let shown = Arc::new(AtomicUsize::new(0));
    for number in 0..watches {
        let options = WatchOptions::new().with_prefix();
        let prefix = format!("{}/", keyspace(number));
        let mut watch = client.watch(prefix, Some(options)).await?;
        let shown = Arc::clone(&shown);
        tokio::spawn(async move {
            while let Ok(Some(message)) = watch.message().await {
                let last = message.events().iter().filter(|event| is_last(event));
                shown.fetch_add(last.count(), Ordering::Relaxed);
            }
        });
    }
    say_when(|| shown.load(Ordering::Relaxed) == watches).await
}

fn is_last(event: &Event) -> bool {
    let value = event.kv().map(etcd_client::KeyValue::value);
    value == Some(LAST.to_string().as_bytes())
}

#[expect(clippy::print_stdout, reason = "that is how it is heard")]
async fn say_when(is_over: impl Fn() -> bool) -> Done {
    println!("ready");
    while !is_over() {
        sleep(LOOK).await;
    }
    println!("last");
    std::future::pending().await
}
