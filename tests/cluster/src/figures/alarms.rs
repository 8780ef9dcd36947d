//! Whether a map that is well says so on a machine that has no time for it.
//!
//! Nothing is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use globe::Phase;
use globe_test_support::netns::Hosts;
use tokio::time::{Instant, sleep};

use super::detection::is_live;
use super::pulse::Pulse;
use super::{Extent, Figure};
use crate::leg::THREE;
use crate::site::Site;

pub(crate) async fn measure(hosts: Option<Arc<Hosts>>, extent: Extent) -> Vec<Figure> {
    let site = Site::open(&THREE, hosts, 4).await;
    let _pulse = Pulse::start(&site, &[0, 1, 2]).await;
    let maps: Vec<_> = site
        .nodes
        .iter()
        .flat_map(|node| [&node.first, &node.second])
        .collect();
    for map in &maps {
        is_live(map).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let busy: Vec<_> = (0..2 * cores)
        .map(|_| keep_busy(Arc::clone(&over)))
        .collect();
    let began = Instant::now();
    let (mut alarms, mut oldest) = (0, Duration::ZERO);
    let mut was_live = vec![true; maps.len()];
    while began.elapsed() < extent.alarm {
        for (map, was_live) in maps.iter().zip(&mut was_live) {
            let status = map.status();
            let is_live = status.phase == Phase::Live;
            alarms += u32::from(*was_live && !is_live);
            *was_live = is_live;
            oldest = oldest.max(status.staleness.unwrap_or_default());
        }
        sleep(Duration::from_millis(10)).await;
    }
    over.store(true, Ordering::Relaxed);
    for thread in busy {
        let _ = thread.join();
    }
    let what = format!(
        "false alarms in {:?} with {} busy threads on {cores} cores",
        extent.alarm,
        2 * cores
    );
    let detail = format!(" (6 maps; the oldest said {oldest:.2?})");
    vec![Figure::at_most(&what, 0.0, f64::from(alarms), &detail)]
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
