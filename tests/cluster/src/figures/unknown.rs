//! What becomes of writes whose reply was lost.
//!
//! Whether they were applied is asked of the server, by a client of its own.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::Client;
use globe::ErrorKind;
use globe_oracle::{KEYSPACES, Value};
use globe_test_support::Proxy;
use globe_test_support::netns::Hosts;
use tokio::time::{Instant, sleep};

use super::detection::is_live;
use super::{Extent, Figure};
use crate::leg::THREE;
use crate::site::Site;

pub(crate) async fn measure(hosts: Option<Arc<Hosts>>, extent: Extent) -> Vec<Figure> {
    let site = Site::open(&THREE, hosts, 5).await;
    let endpoint = site.cluster[0].endpoint();
    let mut client = Client::connect([endpoint], None).await.expect("a client");
    let rounds = extent.rounds * 2;
    let (mut told, mut unknown, mut wrong, mut took) = (0, 0, 0, Vec::new());
    for round in 0..rounds {
        // Half of them are applied, half never arrive.
        let is_applied = round % 2 == 0;
        let key = format!("unknown-{round}");
        let map = site.nodes[0].first.clone();
        is_live(&map).await;
        for door in &site.doors[0] {
            if is_applied {
                door.freeze_replies()
            } else {
                door.freeze_requests()
            }
        }
        let put = tokio::spawn({
            let (map, key) = (map.clone(), key.clone());
            async move { map.create(&key, Value::default()).await }
        });
        // It is under way, and is lost with its connection; those that come back at once are refused.
        sleep(Duration::from_millis(200)).await;
        site.doors[0].iter().for_each(Proxy::cut);
        sleep(Duration::from_millis(50)).await;
        site.doors[0].iter().for_each(Proxy::heal);
        let healed = Instant::now();
        let result = put.await.expect("no panic");
        took.push(healed.elapsed());
        let name = format!("{}/{key}", KEYSPACES[0]);
        let stands = client.get(name, None).await.expect("an answer").count() == 1;
        match result {
            Ok(_) if stands => told += 1,
            Err(error) if *error.kind() == ErrorKind::Indeterminate => unknown += 1,
            Err(_) if !stands => told += 1,
            _ => wrong += 1,
        }
    }
    let detail = format!(" of {rounds}; {told} resolved, {unknown} reported as unknown");
    vec![
        Figure::at_most(
            "lost replies and requests: writes told wrongly",
            0.0,
            f64::from(wrong),
            &detail,
        ),
        Figure::within(
            "… told after the line was back",
            Duration::from_secs(5),
            took,
        ),
    ]
}
