//! Members that die, or stand still.
//!
//! Their data stays.

use std::time::Duration;

use tokio::time::sleep;

use super::meddlers;
use crate::site::{Site, TTL};

/// How long a broken state lasts.
const WHILE: Duration = Duration::from_secs(3);

pub(crate) async fn kill_a_follower(site: &mut Site) {
    let leader = site.cluster.leader().await;
    kill(site, (leader + 1) % site.members()).await;
}

pub(crate) async fn kill_the_leader(site: &mut Site) {
    let leader = site.cluster.leader().await;
    kill(site, leader).await;
}

pub(crate) async fn kill_each(site: &mut Site) {
    for member in 0..site.members() {
        kill(site, member).await;
        site.lasts(Duration::from_millis(1500)).await;
    }
}

async fn kill(site: &mut Site, member: usize) {
    site.loses(member, format!("member {member} is killed"));
    site.cluster[member].kill();
    site.lasts(WHILE).await;
    site.heal().await;
}

/// One after the other, as an operator does it.
pub(crate) async fn restart_each(site: &mut Site) {
    for member in 0..site.members() {
        // Until it has ended, it tells whoever listens what is committed.
        site.breaks(format!("member {member} is restarted"));
        site.cluster[member].stop().await;
        site.cluster[member].restart().await;
        site.lasts(Duration::from_secs(1)).await;
    }
}

pub(crate) async fn kill_all(site: &mut Site) {
    site.loses_all("all members are killed");
    for member in site.cluster.members() {
        member.kill();
    }
    site.lasts(WHILE).await;
}

/// By one that knows nothing, and refuses everything until it has caught up and been promoted.
pub(crate) async fn replace_each(site: &mut Site) {
    for member in 0..site.members() {
        site.cluster.remove(member).await;
        site.loses(member, format!("member {member} is replaced by a learner"));
        site.cluster.add_learner(member).await;
        site.lasts(Duration::from_secs(1)).await;
        site.cluster.promote(member).await;
        site.mends("the learner is a member");
        sleep(Duration::from_secs(1)).await;
    }
}

pub(crate) async fn freeze_one(site: &mut Site) {
    for seconds in [0.5, 2.0, 4.0] {
        let member = site.rng.usize(..site.members());
        freeze(site, member, Duration::from_secs_f64(seconds)).await;
        sleep(Duration::from_millis(500)).await;
    }
}

pub(crate) async fn freeze_the_leader(site: &mut Site) {
    let leader = site.cluster.leader().await;
    freeze(site, leader, Duration::from_secs(5)).await;
}

pub(crate) async fn freeze_for_long(site: &mut Site) {
    freeze(site, 0, Duration::from_secs(30)).await;
}

async fn freeze(site: &mut Site, member: usize, lasting: Duration) {
    // What it still has in hand when it is stopped, and what it does after it goes on, is its own.
    site.cluster[member].pause();
    site.loses(member, format!("member {member} is frozen for {lasting:?}"));
    sleep(lasting).await;
    site.mends("the member goes on");
    match lasting < TTL / 2 {
        true => site.cluster[member].resume(),
        false => meddlers::goes_on(site, member).await,
    }
}

pub(crate) async fn freeze_all(site: &mut Site) {
    for seconds in [0.5, 3.0] {
        for member in site.cluster.members() {
            member.pause();
        }
        site.loses_all("all members are frozen");
        sleep(Duration::from_secs_f64(seconds)).await;
        site.mends("the members go on");
        for member in site.cluster.members() {
            member.resume();
        }
        sleep(Duration::from_secs(1)).await;
    }
}

pub(crate) async fn move_the_leader(site: &mut Site) {
    for _ in 0..12 {
        site.breaks("another member is made the leader");
        site.cluster.move_leader().await;
        sleep(Duration::from_millis(400)).await;
    }
}
