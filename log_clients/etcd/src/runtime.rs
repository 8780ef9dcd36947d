//! What this client needs of the runtime it is used in: one of tokio's, with its IO and its time driver.
//!
//! Never panics itself, and lets nothing below it: without either, tokio does.

use std::net::{Ipv4Addr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

/// Whether this is called inside a runtime.
pub(crate) fn check() -> Result<()> {
    Handle::try_current().map(drop).map_err(|_| {
        let why = "the etcd log is used outside of a tokio runtime: enter one, or await it inside";
        Error::new(ErrorKind::Invalid, why)
    })
}

/// Whether this runtime has what it takes. Tokio tells that only by a panic, which is caught here, once for each log; the
/// panic hook of the process sees it.
pub(crate) fn check_drivers() -> Result<()> {
    check()?;
    let lacks = |what: &str, enable: &str| {
        let why = format!(
            "the tokio runtime has no {what} driver, which the etcd log needs: build it with {enable} or enable_all"
        );
        Error::new(ErrorKind::Invalid, why)
    };
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO)))
        .map_err(|_| lacks("time", "enable_time"))?;
    // A machine that has no socket to spare is not the runtime's fault, and shows when a member is dialled.
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else {
        return Ok(());
    };
    if socket.set_nonblocking(true).is_err() {
        return Ok(());
    }
    let register = AssertUnwindSafe(|| drop(tokio::net::UdpSocket::from_std(socket)));
    catch_unwind(register).map_err(|_| lacks("IO", "enable_io"))
}
