//! Whether a map that is well says so on a machine that has no time for it.
//!
//! Nothing is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use etcd_client::Client;
use globe::Phase;
use globe_test_support::netns::Hosts;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::detection::is_live;
use super::pulse::Pulse;
use super::{Extent, Figure};
use crate::leg::PATIENT;
use crate::site::Site;

/// How long the servers may have given no answer while a map that calls itself stale does so falsely.
const SERVERS_ARE_WELL: Duration = Duration::from_secs(1);

pub(crate) async fn measure(hosts: Option<Arc<Hosts>>, extent: Extent) -> Vec<Figure> {
    let site = Site::open(&PATIENT, hosts, 4).await;
    let _pulse = Pulse::start(&site, &[0, 1, 2]).await;
    let control = Control::start(site.cluster[0].endpoint());
    let nodes = site.nodes.iter();
    let maps: Vec<_> = nodes.flat_map(|node| [&node.first, &node.second]).collect();
    for map in &maps {
        is_live(map).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let busy: Vec<_> = (0..2 * cores)
        .map(|_| keep_busy(Arc::clone(&over)))
        .collect();
    let began = Instant::now();
    let (mut alarms, mut true_ones, mut oldest) = (0, 0, Duration::ZERO);
    let mut was_live = vec![true; maps.len()];
    while began.elapsed() < extent.alarm {
        for (map, was_live) in maps.iter().zip(&mut was_live) {
            let status = map.status();
            let is_live = status.phase == Phase::Live;
            if *was_live && !is_live {
                let is_false = control.silence() < SERVERS_ARE_WELL;
                alarms += u32::from(is_false);
                true_ones += u32::from(!is_false);
            }
            *was_live = is_live;
            oldest = oldest.max(status.staleness.unwrap_or_default());
        }
        sleep(Duration::from_millis(10)).await;
    }
    over.store(true, Ordering::Relaxed);
    for thread in busy {
        let _ = thread.join();
    }
    let (lasting, threads) = (extent.alarm, 2 * cores);
    let what = format!("false alarms in {lasting:?} with {threads} busy threads on {cores} cores");
    let detail = format!(
        " (6 maps; the oldest said {oldest:.2?}; {true_ones} while the servers gave a bare client no answer either)"
    );
    vec![Figure::at_most(&what, 0.0, f64::from(alarms), &detail)]
}

/// A bare client that reads all the time: what it cannot have, nobody can.
struct Control {
    began: Instant,
    answered: Arc<AtomicU64>,
    reading: JoinHandle<()>,
}

impl Control {
    fn start(endpoint: String) -> Control {
        let (began, answered) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let reading = tokio::spawn({
            let answered = Arc::clone(&answered);
            async move {
                let client = Client::connect([endpoint], None).await;
                let mut client = client.expect("a client");
                loop {
                    let asked = began.elapsed();
                    if client.get("control", None).await.is_ok() {
                        let asked = u64::try_from(asked.as_millis()).unwrap_or(u64::MAX);
                        answered.store(asked, Ordering::Relaxed);
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            }
        });
        Control {
            began,
            answered,
            reading,
        }
    }

    /// Since when nothing was answered.
    fn silence(&self) -> Duration {
        let answered = Duration::from_millis(self.answered.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(answered)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn keep_busy(over: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut number = 0_u64;
        while !over.load(Ordering::Relaxed) {
            for _ in 0..10_000 {
                number = std::hint::black_box(number.wrapping_mul(31).wrapping_add(1));
            }
        }
    })
}
