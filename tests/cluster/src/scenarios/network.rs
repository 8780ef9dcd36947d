//! Members that do not hear each other, or not all of it. Clients reach all of them.
//!
//! Only with hosts of their own.

use std::time::Duration;

use globe_test_support::netns::Hosts;
use tokio::time::sleep;

use crate::site::{Site, TTL};

/// Longer than what a client may take for a live member that answers nobody.
const WHILE: Duration = Duration::from_secs(6);

pub(crate) async fn cut_from_peers(site: &mut Site) {
    cut(site, 0).await;
    cut(site, 1).await;
}

pub(crate) async fn cut_the_leader(site: &mut Site) {
    let leader = site.cluster.leader().await;
    cut(site, leader).await;
}

async fn cut(site: &mut Site, member: usize) {
    site.hosts().cut_from_peers(member);
    site.loses(member, format!("member {member} hears no other member"));
    sleep(WHILE).await;
    heal(site).await;
}

async fn heal(site: &mut Site) {
    site.mends("members hear each other");
    site.hosts().heal();
    // What is mended is used for a while before it is broken again.
    sleep(Duration::from_secs(1)).await;
}

pub(crate) async fn cut_one_way(site: &mut Site) {
    cut_each_way(site, WHILE / 2).await;
}

/// For three times as long as a session lives without an answer, each way.
pub(crate) async fn cut_one_way_for_long(site: &mut Site) {
    cut_each_way(site, TTL * 3).await;
}

async fn cut_each_way(site: &mut Site, lasting: Duration) {
    let leader = site.cluster.leader().await;
    let other = (leader + 1) % site.members();
    for (from, to) in [(leader, other), (other, leader)] {
        site.hosts().cut_one_way(from, to);
        site.breaks(format!("member {to} does not hear member {from}"));
        sleep(lasting).await;
        heal(site).await;
    }
}

pub(crate) async fn bridge(site: &mut Site) {
    let leader = site.cluster.leader().await;
    let (one, other) = (leader, (leader + 1) % site.members());
    site.hosts().cut_one_way(one, other);
    site.hosts().cut_one_way(other, one);
    site.breaks(format!(
        "members {one} and {other} meet only through the third"
    ));
    sleep(WHILE).await;
}

pub(crate) async fn no_majority(site: &mut Site) {
    cut_all(site, WHILE / 2).await;
}

/// For three times as long as a session lives without an answer. No lease ends meanwhile: nobody leads, who could end it.
pub(crate) async fn no_majority_for_long(site: &mut Site) {
    cut_all(site, TTL * 3).await;
}

async fn cut_all(site: &mut Site, lasting: Duration) {
    let all = |hosts: &Hosts| (0..hosts.len()).for_each(|member| hosts.cut_from_peers(member));
    all(site.hosts());
    site.loses_all("no member hears another");
    sleep(lasting).await;
}

pub(crate) async fn pull_the_cable(site: &mut Site) {
    let leader = site.cluster.leader().await;
    site.hosts().host(leader).pull_cable();
    site.loses(
        leader,
        format!("the cable of member {leader}, the leader, is pulled"),
    );
    sleep(WHILE).await;
}

pub(crate) async fn lose_packets(site: &mut Site) {
    for share in [0.01, 0.05, 0.2] {
        for member in 0..site.members() {
            site.hosts().host(member).lose(share);
        }
        site.breaks(format!("members lose {share} of their packets"));
        sleep(WHILE / 2).await;
        heal(site).await;
    }
}
