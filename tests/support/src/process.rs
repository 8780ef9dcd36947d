//! A program that runs for a test: asked whether it lives, stopped where it is, let go on, killed.
//!
//! Never looks at what the program says or does.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};

/// How often it is looked whether a process has stopped where it is: for seconds, if it has not.
const LOOKS: u32 = 100_000;

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// A command after these words. What it starts dies with the thread that started it, so that a killed test leaves nothing
/// behind.
pub(crate) fn command(mut before: Vec<String>, program: impl AsRef<OsStr>) -> Command {
    before.extend(["setpriv", "--pdeathsig", "KILL"].map(String::from));
    let mut command = Command::new(&before[0]);
    command.args(&before[1..]).arg(program);
    command
}

impl Process {
    /// Starts what [`command`] made.
    pub(crate) fn start(command: &mut Command) -> Process {
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.expect("setpriv (package util-linux) starts the program");
        Process { child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it lives (a paused one does).
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.expect("kill").success(), "SIG{signal} to {id}");
    }

    /// Stops it where it is (SIGSTOP), and waits until no thread of it runs.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
        let mut looks = (0..LOOKS).map(|_| std::thread::yield_now());
        let stops = looks.any(|()| is_stopped(self.id()));
        assert!(stops, "it does not stop");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether every thread of a process is stopped; taken for granted where the system does not say.
fn is_stopped(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return true;
    };
    let mut states = threads.flatten().map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state comes after the name, which stands in brackets and may hold anything.
        let rest = stat.rsplit(')').next();
        rest.is_some_and(|rest| rest.trim_start().starts_with('T'))
    });
    states.all(|is_stopped| is_stopped)
}
