//! What a process takes of the machine, as the system counts it.
//!
//! Never asks the process itself, which would have to answer.

use std::time::Duration;

/// What the threads it has now have taken of the processors, to the nanosecond. One that ended is not counted any more.
///
/// # Panics
/// Where there is no `/proc`, or it does not say.
#[must_use]
pub fn processor_time(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("/proc");
    let times = threads.flatten().filter_map(|thread| {
        // One that has just ended says nothing any more.
        let said = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        said.split_whitespace().next()?.parse::<u64>().ok()
    });
    let nanoseconds = times.sum();
    assert!(nanoseconds > 0, "no schedstat in /proc");
    Duration::from_nanos(nanoseconds)
}

/// How much of the memory it has, in bytes: all of it (`VmRSS`), or what no file is behind and no other process shares
/// (`RssAnon`).
///
/// # Panics
/// Where there is no `/proc`, or it does not say.
#[must_use]
pub fn memory(process: u32, of: &str) -> u64 {
    let told = std::fs::read_to_string(format!("/proc/{process}/status")).expect("/proc");
    let line = told.lines().find_map(|line| line.strip_prefix(of));
    let kilobytes = line.and_then(|line| line.strip_prefix(':')?.trim().strip_suffix(" kB"));
    let kilobytes = kilobytes.and_then(|kilobytes| kilobytes.parse::<u64>().ok());
    kilobytes.expect("no such memory in /proc") * 1024
}
