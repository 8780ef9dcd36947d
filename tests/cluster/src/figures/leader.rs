//! What a writer notices of the death of the leader, beside what the servers themselves need.
//!
//! The servers' own gap is seen by bare clients, one for each survivor.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::Client;
use globe_oracle::{Map, Value};
use globe_test_support::netns::Hosts;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Extent, Figure};
use crate::leg::{Leg, PATIENT, THREE};
use crate::site::Site;

/// How much longer than the servers' own gap a writer's may be.
const BOUND: Duration = Duration::from_millis(200);

pub(crate) async fn measure(hosts: Option<Arc<Hosts>>, extent: Extent) -> Vec<Figure> {
    let mut figures = kills(&PATIENT, BOUND, hosts.clone(), extent).await;
    // Faster than the time a request is given: nobody is promised anything, but here is what it is.
    figures.extend(kills(&THREE, Duration::MAX, hosts, extent).await);
    figures
}

async fn kills(
    leg: &Leg,
    bound: Duration,
    hosts: Option<Arc<Hosts>>,
    extent: Extent,
) -> Vec<Figure> {
    let mut site = Site::open(leg, hosts, 2).await;
    let (mut ours, mut theirs, mut more) = (Vec::new(), Vec::new(), Vec::new());
    let mut errors = 0;
    for _ in 0..extent.rounds {
        let kill = kill(&mut site).await;
        errors += kill.errors;
        ours.push(kill.ours);
        theirs.push(kill.theirs);
        more.push(kill.ours.saturating_sub(kill.theirs));
    }
    let name = leg.name;
    let open = Duration::MAX;
    let told = format!("errors a writer is given when the leader is killed ({name})");
    let own = format!("the servers' own write gap then ({name})");
    let gap = format!("a writer's write gap then ({name})");
    let longer = format!("how much longer that is ({name})");
    vec![
        Figure::at_most(&told, 0.0, errors as f64, ""),
        Figure::within(&own, open, theirs),
        Figure::within(&gap, open, ours),
        Figure::within(&longer, bound, more),
    ]
}

struct Kill {
    ours: Duration,
    theirs: Duration,
    errors: usize,
}

async fn kill(site: &mut Site) -> Kill {
    let leader = site.cluster.leader().await;
    let killed = Instant::now() + Duration::from_millis(400);
    let (stop, stopped) = watch::channel(false);
    let writer = tokio::spawn(write(site.nodes[0].first.clone(), killed, stopped));
    let mut bare = JoinSet::new();
    for member in (0..site.members()).filter(|member| *member != leader) {
        bare.spawn(first_write(site.cluster[member].endpoint(), killed));
    }
    tokio::time::sleep_until(killed).await;
    site.cluster[leader].kill();
    let first = bare.join_next().await.expect("one of two");
    let theirs = first.expect("no panic");
    // A writer that has hung may still come back, so that its gap is known.
    sleep(Duration::from_millis(1500)).await;
    stop.send_replace(true);
    let (ours, errors) = writer.await.expect("no panic");
    site.heal().await;
    // All is well for a while before the next.
    sleep(Duration::from_millis(500)).await;
    Kill {
        ours,
        theirs,
        errors,
    }
}

/// Writes one after the other; the first success that began after `killed`, or was under way then, and the errors.
async fn write(map: Map, killed: Instant, stopped: watch::Receiver<bool>) -> (Duration, usize) {
    let (mut gap, mut errors) = (None, 0);
    while !*stopped.borrow() {
        match map.put("written", Value::default()).await {
            Ok(_) if Instant::now() > killed + Duration::from_millis(5) => {
                gap = gap.or(Some(killed.elapsed()));
            }
            Ok(_) => {}
            Err(_) => errors += 1,
        }
        sleep(Duration::from_millis(2)).await;
    }
    (gap.unwrap_or(Duration::MAX), errors)
}

/// The first write through one member after `killed`.
async fn first_write(endpoint: String, killed: Instant) -> Duration {
    let mut client = Client::connect([endpoint], None).await.expect("a client");
    tokio::time::sleep_until(killed + Duration::from_millis(5)).await;
    loop {
        // Many short attempts: who waits in a member's queue learns late of its new leader.
        let put = client.put("bare", "", None);
        if let Ok(Ok(_)) = timeout(Duration::from_millis(100), put).await {
            return killed.elapsed();
        }
        sleep(Duration::from_millis(2)).await;
    }
}
