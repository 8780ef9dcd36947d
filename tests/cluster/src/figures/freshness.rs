//! How soon a map that knows all members shows again what is written, after the member it uses went wrong.
//!
//! Writers are not touched by the fault.

use std::sync::Arc;
use std::time::Duration;

use globe_test_support::netns::Hosts;
use tokio::time::{Instant, sleep};

use super::detection::is_live;
use super::pulse::Pulse;
use super::{Extent, Figure};
use crate::leg::THREE;
use crate::site::Site;

/// What is promised when nobody says that something is wrong.
const SILENT: Duration = Duration::from_secs(3);
/// What is promised when the connection says it.
const LOUD: Duration = Duration::from_millis(300);

type Fault = fn(&mut Site, usize);

pub(crate) async fn measure(hosts: Option<Arc<Hosts>>, extent: Extent) -> Vec<Figure> {
    let faults: [(&str, Fault, Duration, bool); 5] = [
        (
            "is cut off from the others",
            |site, member| site.hosts().cut_from_peers(member),
            SILENT,
            true,
        ),
        (
            "becomes a black hole",
            |site, member| site.doors[0][member].freeze(),
            SILENT,
            false,
        ),
        (
            "is frozen",
            |site, member| site.cluster[member].pause(),
            SILENT,
            false,
        ),
        (
            "resets connections",
            |site, member| site.doors[0][member].cut(),
            LOUD,
            false,
        ),
        (
            "is killed",
            |site, member| site.cluster[member].kill(),
            LOUD,
            false,
        ),
    ];
    let mut figures = Vec::new();
    let mut site = Site::open(&THREE, hosts, 1).await;
    for (what, fault, bound, needs_hosts) in faults {
        if needs_hosts && site.hosts.is_none() {
            continue;
        }
        let mut seen = Vec::new();
        for _ in 0..extent.rounds {
            seen.push(once(&mut site, fault).await);
        }
        let what = format!("shows new values again after its member {what}");
        figures.push(Figure::within(&what, bound, seen));
    }
    figures
}

async fn once(site: &mut Site, fault: Fault) -> Duration {
    let map = site.nodes[0].first.clone();
    is_live(&map).await;
    let member = used(site).await;
    // An election is the servers' affair.
    if site.cluster.leader().await == member {
        site.cluster.move_leader().await;
    }
    let others: Vec<_> = (0..site.members())
        .filter(|other| *other != member)
        .collect();
    let pulse = Pulse::start(site, &others).await;
    pulse.reaches(&map, Instant::now()).await;
    // The phase of the probe at which the fault falls must not be always the same.
    sleep(Duration::from_millis(site.rng.u64(100..700))).await;
    let began = Instant::now();
    fault(site, member);
    // What was underway when it happened is not new.
    let moment = began + Duration::from_millis(20);
    let took = pulse.reaches(&map, moment).await;
    drop(pulse);
    site.heal().await;
    took.map_or(Duration::MAX, |took| took + Duration::from_millis(20))
}

/// The member a node talks to.
async fn used(site: &Site) -> usize {
    let count = || {
        site.doors[0]
            .iter()
            .map(globe_test_support::Proxy::requested)
    };
    let before: Vec<u64> = count().collect();
    // Twice as long as from one probe to the next, and some more.
    sleep(Duration::from_millis(1200)).await;
    let more = count().zip(before).map(|(now, before)| now - before);
    let most = more.enumerate().max_by_key(|(_, more)| *more);
    most.map_or(0, |(member, _)| member)
}
