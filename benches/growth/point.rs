//! One number of maps or processes: a server, those who follow it, and what is measured while nobody writes and while somebody
//! does.
//!
//! Each has a server of its own, so that none has what another left behind.

use etcd_client::Client;
use globe_bench::{Done, either};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::runtime::Runtime;
use tokio::time::{Duration, sleep};

use crate::crowd::Crowd;
use crate::follower::{Load, Who};
use crate::sample::{Counts, Sample};
use crate::writer::{WRITES, Writer, fill, finish};

/// How long nobody looks after clients have come, or writes have begun.
fn settling() -> Duration {
    Duration::from_millis(either(500, 200))
}

/// How long is measured each time. A map asks twice a second.
fn a_while() -> Duration {
    Duration::from_millis(either(1_500, 1_000))
}

pub(crate) fn measure(runtime: &Runtime, who: Who, load: Load) -> Done<Sample> {
    let server = runtime.block_on(EtcdServer::start(EtcdVersion::Reference));
    let mut client = runtime.block_on(Client::connect([server.endpoint()], None))?;
    runtime.block_on(fill(&mut client, load))?;
    let crowd = Crowd::start(who, load, &server)?;
    let sample = runtime.block_on(look(&server, &crowd, &client, load))?;
    runtime.block_on(finish(&mut client, load))?;
    crowd.saw_last()?;
    Ok(sample)
}

async fn look(server: &EtcdServer, crowd: &Crowd, client: &Client, load: Load) -> Done<Sample> {
    sleep(settling()).await;
    let page = server.counted().await;
    let streams = page.sum("etcd_debugging_mvcc_watch_stream_total", "");
    let watchers = page.sum("etcd_debugging_mvcc_watcher_total", "");
    if watchers < (load.processes * load.maps) as f64 {
        return Err(format!("{watchers} watchers for {load:?}").into());
    }
    let idle = Counts::of_a_while(server, crowd, a_while()).await;
    let memory = (server.resident_memory() as f64, crowd.memory());
    let writer = Writer::start(client.clone(), load);
    sleep(settling()).await;
    let busy = Counts::of_a_while(server, crowd, a_while()).await;
    writer.stop().await?;
    if busy.writes < WRITES / 2.0 {
        return Err(format!("{} writes in a second instead of {WRITES}", busy.writes).into());
    }
    Ok([
        streams,
        watchers,
        memory.0,
        memory.1,
        idle.received,
        idle.server,
        idle.clients,
        busy.received,
        busy.server,
        busy.clients,
        busy.sent,
        busy.bytes,
    ])
}
