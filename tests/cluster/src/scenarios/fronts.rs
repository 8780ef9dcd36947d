//! What stands before members in the field, and disks that take their time.
//!
//! The members themselves are well.

use std::time::Duration;

use globe_test_support::{Act, Proxy, Rule, Said, SlowDisk};
use tokio::time::sleep;

use crate::site::Site;

/// How long a broken state lasts.
const WHILE: Duration = Duration::from_secs(4);
const TXN: &str = "/etcdserverpb.KV/Txn";

/// Every third transaction is delivered, and its sender told that it was not, or nothing.
pub(crate) async fn lose_answers(site: &mut Site) {
    for said in [
        Said::envoy_reset(),
        Said::envoy_refused(),
        Said::Http(503),
        Said::Reset,
    ] {
        site.breaks(format!("answers are lost: {said:?}"));
        let rule = Rule::new(TXN, Act::Lose(said)).one_in(3);
        site.gateways.iter().for_each(|it| it.add(rule.clone()));
        sleep(WHILE / 2).await;
        site.gateways.iter().for_each(|it| it.heal());
    }
}

pub(crate) async fn repeat(site: &mut Site) {
    site.breaks("every other transaction is delivered twice");
    let rule = Rule::new(TXN, Act::Repeat).one_in(2);
    site.gateways.iter().for_each(|it| it.add(rule.clone()));
    sleep(WHILE).await;
}

pub(crate) async fn drop_progress(site: &mut Site) {
    site.breaks("requests for progress are swallowed");
    site.gateways.iter().for_each(|it| it.drop_progress(true));
    sleep(WHILE).await;
    site.breaks("streams are ended");
    let limit = Some(Duration::from_millis(200));
    site.gateways.iter().for_each(|it| it.limit_idle(limit));
    sleep(WHILE / 2).await;
}

/// The proxy is there all the time; connections to it break.
pub(crate) async fn behind_a_proxy(site: &mut Site) {
    for _ in 0..3 {
        site.breaks("every connection is reset");
        site.all_doors().for_each(Proxy::cut);
        site.all_doors().for_each(Proxy::heal);
        sleep(WHILE / 2).await;
    }
}

/// Every commit takes most of a second.
pub(crate) async fn slow_disks(site: &mut Site) {
    let mut disks = Vec::new();
    for member in 0..site.members() {
        disks.push(SlowDisk::of(&site.cluster[member], Duration::from_millis(700)).await);
    }
    site.breaks("the disks are slow");
    sleep(WHILE * 2).await;
    drop(disks);
}
