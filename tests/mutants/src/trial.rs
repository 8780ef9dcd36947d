//! A trial: one test, run by itself with one defect in force, and how it ended.
//!
//! It never waits for ever: a test that hangs is ended, with every server it started.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::scratch::Program;
use crate::{Programs, TestName};

/// How a test ended, and when.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub took: Duration,
    /// What it said.
    pub log: String,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It found nothing.
    Passed,
    /// It found something.
    Failed,
    /// It did not end by itself, which a run of all tests would have found as well.
    Hung,
    /// There is no such test.
    NotRun,
}

/// Of what is tried with many seeds, so many are enough.
const SEEDS: &str = "200";

/// What an oracle's findings begin with.
const FINDINGS: [&str; 27] = [
    "delivery",
    "resync",
    "visibility",
    "monotonic",
    "own writes",
    "causal",
    "linearizable",
    "compare-and-swap",
    "registers",
    "serializable",
    "exactly once",
    "ghosts",
    "staleness",
    "liveness",
    "isolation",
    "convergence",
    "truth",
    "two holders",
    "tokens",
    "fences",
    "gates",
    "told late",
    "resumed",
    "outlived",
    "presence",
    "settled",
    "enough claims",
];

impl Trial {
    /// Runs a test with this defect in force, or with none, for no longer than `limit`. What it says is kept in `log`.
    #[must_use]
    pub fn run(
        programs: &Programs,
        test: &TestName,
        mutant: &str,
        limit: Duration,
        log: &Path,
    ) -> Trial {
        let begun = Instant::now();
        let ended = match programs.of(test) {
            Some(program) => {
                let mut command = command(program, test, limit);
                command.env("GLOBE_SERVERS", &programs.servers);
                if std::env::var_os("GLOBE_SEEDS").is_none() {
                    command.env("GLOBE_SEEDS", SEEDS);
                }
                command.env("GLOBE_MUTANT", mutant);
                run(command, log)
            }
            None => Ended::NotRun,
        };
        let took = begun.elapsed();
        let log = fs::read(log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        // A program that has no such test is content with itself.
        let has_run = !log.contains("running 0 tests");
        let ended = if has_run { ended } else { Ended::NotRun };
        Trial { ended, took, log }
    }

    /// The oracle's findings, if it was one that found something.
    #[must_use]
    pub fn findings(&self) -> String {
        let lines = self.log.lines().map(str::trim_start);
        let heads = lines.filter_map(|line| line.split_once(": ").map(|(head, _)| head));
        let heads: Vec<&str> = heads.collect();
        let found = FINDINGS.iter().filter(|finding| heads.contains(finding));
        found.copied().collect::<Vec<_>>().join(", ")
    }
}

/// Ended by `timeout`, which ends the servers of the test as well: they are of its group.
fn command(program: &Program, test: &TestName, limit: Duration) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &limit.as_secs_f64().to_string()]);
    command.arg(&program.path);
    command.args(["--exact", &test.name, "--nocapture"]);
    command.current_dir(&program.package);
    command
}

fn run(mut command: Command, log: &Path) -> Ended {
    let file = fs::File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
    let Ok((out, err)) = file else {
        return Ended::NotRun;
    };
    let command = command.stdin(Stdio::null()).stdout(out).stderr(err);
    match command.status().map(|status| status.code()) {
        Ok(Some(0)) => Ended::Passed,
        Ok(Some(124)) => Ended::Hung,
        // It could not be run at all. Whatever else there is, it failed, or died.
        Ok(Some(125..=127)) | Err(_) => Ended::NotRun,
        Ok(_) => Ended::Failed,
    }
}
