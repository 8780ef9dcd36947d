//! What is counted of a server and of those who follow.
//!
//! It never counts what the page of metrics costs, which is more than a quiet map.

use globe_bench::Unit;
use globe_test_support::EtcdServer;
use tokio::time::{Duration, Instant, sleep};

use crate::crowd::Crowd;

/// What is measured of each number of maps or processes, in the order of [`Sample`].
pub(crate) const FIGURES: [(&str, Unit); 12] = [
    ("watch streams at etcd", Unit::Count),
    ("watchers at etcd", Unit::Count),
    ("memory of etcd", Unit::Memory),
    ("memory of the clients", Unit::Memory),
    ("messages to etcd in a second, idle", Unit::Count),
    ("processor time of etcd in a second, idle", Unit::Time),
    (
        "processor time of the clients in a second, idle",
        Unit::Time,
    ),
    ("messages to etcd in a second, at 100 writes", Unit::Count),
    (
        "processor time of etcd in a second, at 100 writes",
        Unit::Time,
    ),
    (
        "processor time of the clients in a second, at 100 writes",
        Unit::Time,
    ),
    ("messages of watches from etcd for a write", Unit::Count),
    ("bytes from etcd for a write", Unit::Bytes),
];

/// Which of them says what the clients have of the memory; and those of a server, which one map is compared by.
pub(crate) const MEMORY: usize = 3;
pub(crate) const OF_THE_SERVER: [usize; 4] = [4, 5, 7, 8];

/// What was measured at one number.
pub(crate) type Sample = [f64; FIGURES.len()];

/// What was counted in a second, and for each write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// How often was written in a second.
    pub(crate) writes: f64,
    /// What clients sent in a second, but for the puts of the writer.
    pub(crate) received: f64,
    /// What went out on watches for a write.
    pub(crate) sent: f64,
    /// What went out altogether for a write, in bytes.
    pub(crate) bytes: f64,
    /// Processor times in a second, in nanoseconds.
    pub(crate) server: f64,
    pub(crate) clients: f64,
}

impl Counts {
    pub(crate) async fn of_a_while(server: &EtcdServer, crowd: &Crowd, while_: Duration) -> Counts {
        let before = Messages::so_far(server).await;
        let (of_server, of_clients) = (processor(server), crowd.processor());
        let begun = Instant::now();
        sleep(while_).await;
        let (of_server, of_clients) = (
            processor(server) - of_server,
            crowd.processor() - of_clients,
        );
        let seconds = begun.elapsed().as_secs_f64();
        let after = Messages::so_far(server).await;
        let writes = after.puts - before.puts;
        let longer = (after.at - before.at).as_secs_f64();
        Counts {
            writes: writes / longer,
            received: (after.received - before.received) / longer,
            sent: (after.sent - before.sent) / writes,
            bytes: (after.bytes - before.bytes) / writes,
            server: of_server / seconds,
            clients: of_clients / seconds,
        }
    }
}

fn processor(server: &EtcdServer) -> f64 {
    server.processor_time().as_secs_f64() * 1e9
}

/// What a server has counted so far.
struct Messages {
    at: Instant,
    puts: f64,
    received: f64,
    sent: f64,
    bytes: f64,
}

impl Messages {
    async fn so_far(server: &EtcdServer) -> Messages {
        // One page for all, so that the puts of the same moment are left out.
        let page = server.counted().await;
        let at = Instant::now();
        let received = "grpc_server_msg_received_total";
        let puts = page.sum(received, "grpc_method=\"Put\"");
        let watches = "grpc_service=\"etcdserverpb.Watch\"";
        Messages {
            at,
            puts,
            received: page.sum(received, "etcdserverpb") - puts,
            sent: page.sum("grpc_server_msg_sent_total", watches),
            bytes: page.sum("etcd_network_client_grpc_sent_bytes_total", ""),
        }
    }
}
