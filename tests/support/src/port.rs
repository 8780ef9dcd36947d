//! Ports of this machine: reserved for a server, and waited for.
//!
//! Never speaks to who is behind one.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::wait::wait_until;

/// How long a server may take to listen or to answer after its start, on a busy machine.
pub(crate) const START: Duration = Duration::from_secs(30);

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
        let is_ours = lock.try_lock().is_ok()
            && std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        if is_ours {
            // The lock must outlive the server, which may be restarted; the end of the process frees it.
            std::mem::forget(lock);
        }
        is_ours
    };
    let mut candidates = (0..1000).map(|_| fastrand::u16(PORTS));
    candidates.find(is_free).expect("a free port")
}

/// Waits until a server that was just started can be dialled.
pub(crate) async fn until_it_listens(what: &str, address: SocketAddr) {
    wait_until(&format!("{what} listens"), START, || async {
        TcpStream::connect(address).await.is_ok()
    })
    .await;
}
