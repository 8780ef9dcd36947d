//! A value that somebody writes all the time, so that one can see how fresh a map is.
//!
//! It goes past the doors: what breaks them does not break it.

use std::time::Duration;

use globe::{EtcdLog, Globe};
use globe_oracle::{KEYSPACES, Map, Value};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::site::Site;

const KEY: &str = "pulse";
const EVERY: Duration = Duration::from_millis(10);

/// Writes the time since it began, again and again. Stops when dropped.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    writing: JoinHandle<()>,
}

impl Pulse {
    /// Writes through these members.
    pub(crate) async fn start(site: &Site, members: &[usize]) -> Pulse {
        let endpoints = members
            .iter()
            .map(|member| site.cluster[*member].endpoint());
        let log = EtcdLog::connect(endpoints).await.expect("good settings");
        let map: Map = Globe::open(log, KEYSPACES[0]).await.expect("a map");
        let began = Instant::now();
        let writing = tokio::spawn(async move {
            loop {
                let value = Value {
                    amount: i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX),
                    ..Value::default()
                };
                // A failure is told by the value that stays old.
                let _ = map.put(KEY, value).await;
                sleep(EVERY).await;
            }
        });
        Pulse { began, writing }
    }

    /// Waits until a map shows what was written after a moment; how long after that moment it was. `None` when it does
    /// not happen.
    pub(crate) async fn reaches(&self, map: &Map, moment: Instant) -> Option<Duration> {
        let since = moment.duration_since(self.began);
        let bound = moment + Duration::from_secs(20);
        while Instant::now() < bound {
            let seen = map.get(KEY).map_or(0, |value| value.amount);
            if u128::from(seen.unsigned_abs()) > since.as_micros() {
                return Some(moment.elapsed());
            }
            sleep(Duration::from_millis(2)).await;
        }
        None
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.writing.abort();
    }
}
