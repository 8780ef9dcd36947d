//! What clients cost a server, beside what others cost it: what it is sent, and its processor time.
//!
//! It never sees a client from within: all it knows is what the server's side shows.

use globe::Phase;
use globe_bench::{Turns, Unit, either};
use globe_test_support::EtcdServer;
use tokio::time::{Duration, sleep};

use crate::{Done, Numbers, ROUNDS};

/// How long a server is watched each time. Its processor time is told in nanoseconds, and a map asks twice a second.
pub(crate) fn a_while() -> Duration {
    either(Duration::from_secs(5), Duration::from_secs(2))
}

/// How long nobody looks after clients came or went.
const SETTLING: Duration = Duration::from_secs(3);

/// Whose clients are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Peer,
    Ours,
}

/// What clients sent a server in a while, and the processor time of all it did, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    messages: f64,
    processor: f64,
}

impl Cost {
    async fn of_a_while(server: &EtcdServer) -> Cost {
        // The page of metrics costs the server more than a quiet map: it is asked for outside of the time that is measured.
        let asked = messages(server).await;
        let taken = processor(server);
        sleep(a_while()).await;
        Cost {
            processor: processor(server) - taken,
            messages: messages(server).await - asked,
        }
    }
}

fn processor(server: &EtcdServer) -> f64 {
    server.processor_time().as_secs_f64() * 1e9
}

/// What clients sent a server so far, but for puts: those are the neighbour's.
async fn messages(server: &EtcdServer) -> f64 {
    let name = "grpc_server_msg_received_total";
    let all = server.metric(name, "etcdserverpb").await;
    all - server.metric(name, "grpc_method=\"Put\"").await
}

/// What clients cost a server beside what others cost it. Its processor time is all of it, with what it does by itself and for
/// its neighbour: that goes up and down by more than quiet clients cost.
pub(crate) struct Load {
    pub(crate) messages: Turns,
    pub(crate) processor: Turns,
}

impl Load {
    /// Opens the maps by turns, in a new order each time.
    pub(crate) async fn measure(
        server: &EtcdServer,
        open: impl AsyncFn(Who) -> Done<Vec<Numbers>>,
    ) -> Done<Load> {
        let mut load = Load {
            messages: Turns::of(Unit::Messages),
            processor: Turns::of(Unit::Time),
        };
        let mut order = [Who::Peer, Who::Ours];
        for _ in 0..either(ROUNDS, 1) {
            fastrand::shuffle(&mut order);
            let mut costs = [Cost::default(); 2];
            for who in order {
                let maps = open(who).await?;
                sleep(SETTLING).await;
                costs[who as usize] = Cost::of_a_while(server).await;
                for map in &maps {
                    if map.status().phase != Phase::Live {
                        return Err(format!("{who:?}: {:?}", map.status()).into());
                    }
                    map.close().await;
                }
            }
            let [peer, ours] = costs;
            load.messages.count(ours.messages, peer.messages);
            load.processor.count(ours.processor, peer.processor);
        }
        Ok(load)
    }
}
