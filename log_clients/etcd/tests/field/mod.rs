//! What the tests of the field share: a neighbour that never rests, and what the server itself says of a key.
//!
//! It speaks to the server by etcd's own tool only.
#![allow(dead_code, reason = "each test file uses a part of it")]

use globe_etcd::EtcdLog;
use globe_log_client::LogClient;
use globe_test_support::EtcdServer;

use crate::rig::{Copy, flags, when_reachable};

/// How often a test that follows a busy neighbour looks whether it has passed it.
pub(crate) const ROUNDS: usize = 20;

/// Does this while a neighbour writes to the same server without a pause, outside of every keyspace.
pub(crate) async fn beside_a_busy_neighbour<T>(
    server: &EtcdServer,
    work: impl Future<Output = T>,
) -> T {
    let busy = async {
        let mut number = 0_u64;
        loop {
            number += 1;
            let value = number.to_string();
            // It may be refused while the server is away.
            let _ = server.try_etcdctl(&["put", "neighbour", &value]).await;
        }
    };
    tokio::select! {
        output = work => output,
        () = busy => unreachable!("it never rests"),
    }
}

/// The copy passes each of these heads. Nothing but the neighbour moves them.
pub(crate) async fn passes(copy: &mut Copy, log: &EtcdLog, rounds: usize) {
    let keyspace = flags();
    for _ in 0..rounds {
        let head = when_reachable("the head", || log.head(&keyspace)).await;
        copy.reach(head).await;
    }
}

/// How often a key was written since it was last created, as the server says.
pub(crate) async fn times_written(server: &EtcdServer, key: &str) -> u64 {
    let json = server.etcdctl(&["get", key, "-w", "fields"]).await;
    let mut lines = json.lines();
    let version = lines.find_map(|line| line.strip_prefix("\"Version\" : "));
    version.map_or(0, |version| version.parse().unwrap())
}
