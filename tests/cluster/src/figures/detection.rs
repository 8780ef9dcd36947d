//! How soon a map that knows one member says that it is not live any more.
//!
//! Only for faults that give no error: those are the hard ones.

use std::sync::Arc;
use std::time::Duration;

use globe::Phase;
use globe_oracle::Map;
use globe_test_support::Proxy;
use globe_test_support::netns::Hosts;
use tokio::time::{Instant, sleep};

use super::pulse::Pulse;
use super::{Extent, Figure};
use crate::leg::THREE;
use crate::site::Site;

/// What is promised.
const BOUND: Duration = Duration::from_secs(2);

type Fault = fn(&mut Site);

pub(crate) async fn measure(hosts: Option<Arc<Hosts>>, extent: Extent) -> Vec<Figure> {
    let mut figures = Vec::new();
    let faults: [(&str, Fault, bool); 3] = [
        (
            "its member is cut off from the others",
            |site| site.hosts().cut_from_peers(0),
            true,
        ),
        (
            "its member becomes a black hole",
            |site| site.doors[2].iter().for_each(Proxy::freeze),
            false,
        ),
        (
            "its member is frozen",
            |site| site.cluster[0].pause(),
            false,
        ),
    ];
    let mut site = Site::open(&THREE, hosts, 0).await;
    let _pulse = Pulse::start(&site, &[1, 2]).await;
    let map = site.nodes[2].first.clone();
    for (what, fault, needs_hosts) in faults {
        if needs_hosts && site.hosts.is_none() {
            continue;
        }
        let mut seen = Vec::new();
        for _ in 0..extent.rounds {
            is_live(&map).await;
            // The phase of the probe at which the fault falls must not be always the same.
            sleep(Duration::from_millis(site.rng.u64(200..1200))).await;
            let began = Instant::now();
            fault(&mut site);
            while map.status().phase == Phase::Live && began.elapsed() < BOUND * 5 {
                sleep(Duration::from_millis(2)).await;
            }
            seen.push(began.elapsed());
            site.heal().await;
        }
        let what = format!("status leaves `Live` after {what}");
        figures.push(Figure::within(&what, BOUND, seen));
    }
    figures
}

/// Waits until a map is live.
pub(crate) async fn is_live(map: &Map) {
    let bound = Duration::from_secs(60);
    let live = || async { map.status().phase == Phase::Live };
    globe_test_support::wait_until("a live map", bound, live).await;
}
