//! Servers without space, with much to move, or busy with themselves.
//!
//! What was committed stays.

use std::time::Duration;

use etcd_client::Client;
use globe::{EtcdLog, Globe};
use globe_test_support::Proxy;
use tokio::time::sleep;

use crate::site::Site;

/// How long a broken state lasts.
const WHILE: Duration = Duration::from_secs(3);

fn large(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}

async fn client(site: &Site) -> Client {
    let endpoint = site.cluster[0].endpoint();
    Client::connect([endpoint], None).await.expect("a client")
}

pub(crate) async fn no_space(site: &mut Site) {
    let mut client = client(site).await;
    let mut number = 0;
    // Until the server says that it is full.
    while client
        .put(format!("filler/{number}"), large(100_000), None)
        .await
        .is_ok()
    {
        number += 1;
        assert!(number < 1_000, "the quota was never reached");
    }
    site.breaks("there is no space left");
    sleep(WHILE).await;
    site.breaks("space is made");
    let member = &site.cluster[0];
    member.etcdctl(&["del", "filler/", "--prefix"]).await;
    member.make_space().await;
    sleep(WHILE).await;
}

pub(crate) async fn disk_full(site: &mut Site) {
    let filler = site.cluster[0].data_dir().join("filler");
    let chunk = large(1 << 20);
    let mut all = Vec::new();
    while std::fs::write(filler.with_extension(all.len().to_string()), &chunk).is_ok() {
        all.push(filler.with_extension(all.len().to_string()));
        assert!(all.len() < 1_000, "the disk was never full");
    }
    all.push(filler.with_extension(all.len().to_string()));
    site.breaks("the disk is full");
    let mut client = client(site).await;
    for number in 0..200 {
        let put = client.put(format!("filler/{number}"), large(500_000), None);
        let put = tokio::time::timeout(WHILE, put).await;
        if !matches!(put, Ok(Ok(_))) {
            break;
        }
    }
    sleep(WHILE).await;
    let is_running = site.cluster[0].is_running();
    site.breaks(format!(
        "the server {}",
        if is_running { "lives" } else { "died" }
    ));
    for filler in all {
        let _ = std::fs::remove_file(filler);
    }
    site.cluster[0].restart().await;
    sleep(WHILE).await;
}

pub(crate) async fn defragment(site: &mut Site) {
    for _ in 0..3 {
        for member in 0..site.members() {
            site.breaks(format!("member {member} is defragmented"));
            site.cluster[member].etcdctl(&["defrag"]).await;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// A map of 12 MB is read and followed: more in one answer, and in one catch-up, than a client takes by default.
pub(crate) async fn large_answers(site: &mut Site) {
    let log = EtcdLog::builder()
        .endpoint(site.doors[0][0].endpoint())
        .connect()
        .await
        .expect("good settings");
    let map = Globe::<String, String>::open(log.clone(), "large").await;
    let map = map.expect("a map");
    let value = |number: usize| format!("{number}{}", "x".repeat(1_000_000));
    site.breaks("answers are over 4 MiB");
    for number in 0..12 {
        let put = map.put(&format!("{number}"), value(number)).await;
        put.expect("a large value");
    }
    site.breaks("the map is away while 12 MB are written");
    site.doors[0][0].cut();
    let mut client = client(site).await;
    for number in 0..12 {
        let json = format!("\"{}\"", value(number + 1));
        let put = client.put(format!("large/{number}"), json, None).await;
        put.expect("a large value");
    }
    site.all_doors().for_each(Proxy::heal);
    map.sync().await.expect("a map that caught up");
    let fresh = Globe::<String, String>::open(log, "large").await;
    let fresh = fresh.expect("a map");
    for number in 0..12 {
        let key = number.to_string();
        let expected = value(number + 1);
        assert!(*map.get(&key).expect("an entry") == expected);
        assert!(*fresh.get(&key).expect("an entry") == expected);
    }
}
