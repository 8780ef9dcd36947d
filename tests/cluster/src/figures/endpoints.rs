//! What an endpoint that stays away costs, and how often all of them are tried when all are away.
//!
//! The maps are left to themselves.

use std::sync::Arc;
use std::time::Duration;

use globe_oracle::{Node, Value};
use globe_test_support::Proxy;
use globe_test_support::netns::Hosts;
use tokio::time::{Instant, sleep};

use super::{Extent, Figure};
use crate::leg::THREE;
use crate::site::Site;

pub(crate) async fn measure(hosts: Option<Arc<Hosts>>, extent: Extent) -> Vec<Figure> {
    let mut site = Site::open(&THREE, hosts, 3).await;
    let down = one_down(&mut site, extent.down).await;
    let dials = all_down(&mut site).await;
    vec![down, dials]
}

async fn one_down(site: &mut Site, lasting: Duration) -> Figure {
    let nodes: Vec<Node> = site.nodes[..2].to_vec();
    let (mut errors, mut operations) = (0, 0);
    let began = Instant::now();
    site.cluster[0].kill();
    while began.elapsed() < lasting {
        for node in &nodes {
            let put = node.first.put("down", Value::default()).await;
            let synced = node.second.sync().await;
            errors += u32::from(put.is_err()) + u32::from(synced.is_err());
            operations += 2;
        }
        sleep(Duration::from_millis(20)).await;
    }
    site.heal().await;
    let what = format!("errors while one endpoint is down for {lasting:?}");
    Figure::at_most(&what, 0.0, f64::from(errors), &format!(" of {operations}"))
}

async fn all_down(site: &mut Site) -> Figure {
    site.all_doors().for_each(Proxy::cut);
    // Until every back-off is at its longest.
    sleep(Duration::from_secs(15)).await;
    let count = |site: &Site| site.doors[0].iter().map(Proxy::connections).sum::<u64>();
    let (before, lasting) = (count(site), Duration::from_secs(10));
    sleep(lasting).await;
    let dials = count(site) - before;
    site.heal().await;
    let maps = 2.0;
    let each = dials as f64 / lasting.as_secs_f64() / maps;
    let detail = format!(" ({dials} dials of {maps} maps on one log in {lasting:?})");
    Figure::at_most(
        "dials per second and map when all endpoints refuse",
        1.0,
        each,
        &detail,
    )
}
