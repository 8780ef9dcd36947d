//! Waiting for a condition, with a bound.
//!
//! Never decides how fast something has to be: the bound is only there so that a test ends.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use tokio::time::Instant;

/// Waits until `condition` is true, and panics with `what` when it is not within `bound`.
pub async fn wait_until<F>(what: &str, bound: Duration, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let deadline = Instant::now() + bound;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {bound:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The ports of servers. Below those the system gives to connections: a client that dials a port in that range while its
/// server is down can be connected to itself, and then the server finds its port taken.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port of 127.0.0.1 that nobody listens on, reserved for this process among all tests as long as it lives.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let locks = std::env::temp_dir().join("globe-test-ports");
    std::fs::create_dir_all(&locks).expect("a folder for the reservations");
    let is_free = |port: &u16| {
        let lock = File::create(locks.join(port.to_string())).expect("a reservation");
        let is_ours =
            lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        if is_ours {
            // The lock must outlive the server, which may be restarted; the end of the process frees it.
            std::mem::forget(lock);
        }
        is_ours
    };
    let mut candidates = (0..1000).map(|_| fastrand::u16(PORTS));
    candidates.find(is_free).expect("a free port")
}
