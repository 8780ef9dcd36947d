//! What a thousand reconnects leave behind.
//!
//! It counts from outside: tasks of the runtime, descriptors and memory of the process.

use std::sync::Arc;
use std::time::Duration;

use globe_test_support::Proxy;
use globe_test_support::netns::Hosts;
use tokio::time::{Instant, sleep};

use super::detection::is_live;
use super::{Extent, Figure};
use crate::held::{Held, UNDER_WAY};
use crate::leg::ONE;
use crate::site::Site;

/// Reconnects before the first count: allocators and buffers have their size by then.
const WARM: usize = 50;
/// How many more bytes are no leak: 16 KiB a reconnect would be 16 MiB.
const MEMORY: f64 = 8.0;

pub(crate) async fn measure(hosts: Option<Arc<Hosts>>, extent: Extent) -> Vec<Figure> {
    let site = Site::open(&ONE, hosts, 6).await;
    reconnect(&site, WARM).await;
    let before = Held::now();
    let began = Instant::now();
    reconnect(&site, extent.reconnects).await;
    let (after, took) = (Held::now(), began.elapsed());
    let more = |what: &str, bound, of: fn(&Held) -> f64| {
        let what = format!("more {what} after {} reconnects", extent.reconnects);
        let detail = format!(
            " ({:.0} before, {:.0} after {took:.0?})",
            of(&before),
            of(&after)
        );
        Figure::at_most(&what, bound, of(&after) - of(&before), &detail)
    };
    vec![
        more("tasks", UNDER_WAY as f64, |held| held.tasks as f64),
        more("descriptors", UNDER_WAY as f64, |held| {
            held.descriptors as f64
        }),
        more("megabytes", MEMORY, |held| held.megabytes),
    ]
}

/// Resets every connection of every node, and waits until all maps have followed again.
async fn reconnect(site: &Site, times: usize) {
    for _ in 0..times {
        site.all_doors().for_each(Proxy::cut);
        // Some of those who come back at once are refused.
        sleep(Duration::from_millis(5)).await;
        site.all_doors().for_each(Proxy::heal);
        for node in &site.nodes {
            for map in [&node.first, &node.second] {
                while map.sync().await.is_err() {}
            }
        }
    }
    for node in &site.nodes {
        is_live(&node.first).await;
        is_live(&node.second).await;
    }
}
