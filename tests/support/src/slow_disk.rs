//! A disk that takes its time: every `fdatasync` of a running server returns late.
//!
//! It changes nothing else, and once it is dropped the server is as fast as before.

use std::time::Duration;

use crate::etcd::EtcdServer;
use crate::process::{Process, command};
use crate::wait::wait_until;

/// How long it may take until every thread of the server is in its hands.
const START: Duration = Duration::from_secs(20);

/// Gone when dropped, and with its test.
#[derive(Debug)]
pub struct SlowDisk {
    _tracer: Process,
}

impl SlowDisk {
    /// From now on each `fdatasync` of this server's process takes so much longer.
    ///
    /// # Panics
    /// When `strace` is missing, or may not trace: that takes root's rights, or 0 in
    /// `/proc/sys/kernel/yama/ptrace_scope`.
    pub async fn of(server: &EtcdServer, delay: Duration) -> SlowDisk {
        let server = server.pid();
        let inject = format!("inject=fdatasync:delay_exit={}", delay.as_micros());
        let mut command = command(Vec::new(), "strace");
        command.args(["-f", "-qq", "-o", "/dev/null"]);
        command.args(["-e", "trace=fdatasync", "-e", &inject]);
        command.args(["-p", &server.to_string()]);
        let disk = SlowDisk {
            _tracer: Process::start(&mut command),
        };
        wait_until(
            "strace (which must be allowed to) has the server",
            START,
            || async { is_traced(server) },
        )
        .await;
        disk
    }
}

/// Whether somebody traces every thread of a process.
fn is_traced(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return false;
    };
    let mut tracers = threads.flatten().map(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let mut lines = status.lines();
        let tracer = lines.find_map(|line| line.strip_prefix("TracerPid:"));
        tracer.is_none_or(|tracer| tracer.trim() != "0")
    });
    tracers.all(|is_traced| is_traced)
}
