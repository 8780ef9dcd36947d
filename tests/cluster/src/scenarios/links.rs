//! Connections between clients and members that break, stall, tear, or carry things late.
//!
//! The members themselves are well.

use std::time::Duration;

use globe::{Globe, Phase};
use globe_oracle::{KEYSPACES, Value};
use globe_test_support::{Flow, Proxy, Weather, wait_until};
use tokio::time::sleep;

use crate::site::{Site, TTL};

/// How long a broken state lasts: longer than a client waits for a member that is silent.
const WHILE: Duration = Duration::from_secs(4);

/// Three times as long as a session lives without an answer.
const LONG: Duration = TTL.saturating_mul(3);

/// How many maps are on one server when it bounces.
const CROWD: usize = 200;

pub(crate) async fn reset_one(site: &mut Site) {
    for member in 0..site.members() {
        site.loses(member, format!("member {member} resets every connection"));
        site.doors_to(member).for_each(Proxy::cut);
        sleep(WHILE / 2).await;
        heal(site).await;
    }
}

pub(crate) async fn reset_all(site: &mut Site) {
    for _ in 0..5 {
        site.breaks("every connection is reset");
        site.all_doors().for_each(Proxy::cut);
        site.all_doors().for_each(Proxy::heal);
        sleep(Duration::from_millis(700)).await;
    }
    site.loses_all("every connection is reset, and every new one");
    site.all_doors().for_each(Proxy::cut);
    sleep(WHILE).await;
}

pub(crate) async fn black_hole_one(site: &mut Site) {
    hold_each(site, Proxy::freeze, "nothing passes to or from").await;
}

/// One member after the other.
async fn hold_each(site: &mut Site, hold: fn(&Proxy), what: &str) {
    for member in 0..site.members() {
        site.doors_to(member).for_each(hold);
        site.loses(member, format!("{what} member {member}"));
        sleep(WHILE).await;
        heal(site).await;
    }
}

pub(crate) async fn black_hole_all(site: &mut Site) {
    site.all_doors().for_each(Proxy::freeze);
    site.loses_all("everything is a black hole");
    sleep(WHILE).await;
}

pub(crate) async fn black_hole_all_for_long(site: &mut Site) {
    site.all_doors().for_each(Proxy::freeze);
    site.loses_all("everything is a black hole");
    sleep(LONG).await;
}

/// What it has sent arrives when all it had is somebody else's.
pub(crate) async fn cut_off_a_node(site: &mut Site) {
    hold_a_node(site, Proxy::freeze, "nothing passes to or from").await;
}

/// Its renewals arrive, and it does not know.
pub(crate) async fn lose_a_nodes_answers(site: &mut Site) {
    hold_a_node(site, Proxy::freeze_replies, "no answer reaches").await;
}

/// It hears for a while how what it had is taken away.
pub(crate) async fn lose_a_nodes_requests(site: &mut Site) {
    let node = site.rng.usize(..site.nodes.len());
    site.doors[node].iter().for_each(Proxy::freeze_requests);
    site.breaks(format!("no request leaves node {node}"));
    sleep(LONG).await;
}

/// The others go on.
async fn hold_a_node(site: &mut Site, hold: fn(&Proxy), what: &str) {
    let node = site.rng.usize(..site.nodes.len());
    site.doors[node].iter().for_each(hold);
    site.loses_node(node, format!("{what} node {node}"));
    sleep(LONG).await;
}

pub(crate) async fn half_open_one(site: &mut Site) {
    hold_each(site, Proxy::freeze_replies, "no answer comes from").await;
}

pub(crate) async fn half_open_all(site: &mut Site) {
    for hold in [Proxy::freeze_replies, Proxy::freeze_requests] {
        site.breaks("one direction of every connection is held");
        site.all_doors().for_each(hold);
        sleep(WHILE).await;
        heal(site).await;
    }
}

pub(crate) async fn slow_loris_one(site: &mut Site) {
    for member in 0..site.members() {
        let drip = Weather::both(Flow::throttled(20));
        site.breaks(format!("member {member} answers 20 bytes a second"));
        site.doors_to(member).for_each(|door| door.set(drip));
        sleep(WHILE).await;
        heal(site).await;
    }
}

/// Lengths that fall into frame headers, HPACK blocks and messages.
pub(crate) async fn cut_in_the_middle(site: &mut Site) {
    for _ in 0..12 {
        let bytes = site.rng.u64(1..3_000);
        let torn = Flow::cut_after(bytes);
        let mut weather = Weather::default();
        match site.rng.bool() {
            true => weather.requests = torn,
            false => weather.replies = torn,
        }
        site.breaks(format!("connections tear after {bytes} bytes"));
        site.all_doors().for_each(|door| door.set(weather));
        sleep(Duration::from_millis(250)).await;
        site.all_doors().for_each(Proxy::heal);
        sleep(Duration::from_millis(250)).await;
    }
}

pub(crate) async fn delay(site: &mut Site) {
    for millis in [20, 100, 300] {
        let delay = Duration::from_millis(millis);
        let weather = Weather::both(Flow::delayed(delay, delay));
        site.breaks(format!(
            "everything comes {delay:?} to {:?} late",
            delay * 2
        ));
        site.all_doors().for_each(|door| door.set(weather));
        sleep(WHILE / 2).await;
    }
}

pub(crate) async fn narrow(site: &mut Site) {
    let weather = Weather::both(Flow::throttled(125_000));
    site.breaks("every connection carries 1 Mbit a second");
    site.all_doors().for_each(|door| door.set(weather));
    sleep(WHILE).await;
}

/// What is written is committed, and nobody hears of it.
pub(crate) async fn lose_replies(site: &mut Site) {
    lose(site, Proxy::freeze_replies, "replies are lost").await;
}

/// What is written never arrives.
pub(crate) async fn lose_requests(site: &mut Site) {
    lose(site, Proxy::freeze_requests, "requests are lost").await;
}

/// What is held for a moment is lost with its connection.
async fn lose(site: &mut Site, hold: fn(&Proxy), what: &str) {
    for _ in 0..6 {
        site.breaks(what);
        site.all_doors().for_each(hold);
        sleep(Duration::from_millis(300)).await;
        site.all_doors().for_each(Proxy::cut);
        heal(site).await;
    }
}

/// What is written arrives when its sender has long given up, and has written anew.
pub(crate) async fn late_requests(site: &mut Site) {
    for _ in 0..2 {
        let member = site.rng.usize(..site.members());
        site.breaks(format!("requests to member {member} are held for 6 s"));
        site.doors_to(member).for_each(Proxy::freeze_requests);
        sleep(Duration::from_secs(6)).await;
        heal(site).await;
    }
}

async fn heal(site: &mut Site) {
    site.mends("connections are well");
    site.all_doors().for_each(Proxy::heal);
    // What is mended is used for a while before it is broken again.
    sleep(Duration::from_millis(500)).await;
}

/// 200 maps on 200 logs, all of which have to come back.
pub(crate) async fn storm(site: &mut Site) {
    let opening = (0..CROWD).map(|_| async {
        let log = site.connect(&site.doors[0]).await;
        let map = Globe::<String, Value>::open(log, KEYSPACES[0]).await;
        map.expect("a map on a healthy server")
    });
    let crowd = futures::future::join_all(opening).await;
    for _ in 0..2 {
        site.loses_all("the server of 200 maps bounces");
        site.cluster[0].kill();
        sleep(Duration::from_secs(1)).await;
        site.mends("the server is back");
        site.cluster[0].restart().await;
        sleep(Duration::from_secs(2)).await;
    }
    let live = || async {
        let is_live = |map: &Globe<String, Value>| map.status().phase == Phase::Live;
        crowd.iter().all(is_live)
    };
    wait_until("all 200 maps are live again", Duration::from_secs(30), live).await;
}
