//! The verdict over one run, as a test wants it.
//!
//! It checks nothing itself.

use std::fmt::Write;
use std::path::PathBuf;

use crate::checks::{Violation, check_except};
use crate::history::History;

/// Checks a history by everything there is to check; when something is wrong, saves it and says what, with the seed and
/// where the history lies, so that `globe-check` can check it again.
///
/// # Panics
/// When the history violates anything, or the run did too little to prove anything.
pub fn judge(history: &History) {
    judge_except(history, &[]);
}

/// As [`judge`], but without some checks: a log that breaks its contract breaks promises that stand on it.
///
/// # Panics
/// As [`judge`].
pub fn judge_except(history: &History, without: &[&str]) {
    let violations = check_except(history, without);
    assert!(violations.is_empty(), "{}", report(history, &violations));
}

/// What is wrong with a run, for people. Saves the history, and says where.
pub(crate) fn report(history: &History, violations: &[Violation]) -> String {
    let seed = history.run().seed;
    let mut report = format!("seed {seed}: {} violations\n", violations.len());
    for violation in violations.iter().take(20) {
        let _ = writeln!(report, "  {violation}");
    }
    let folder = std::env::var_os("GLOBE_HISTORIES").map_or_else(std::env::temp_dir, PathBuf::from);
    let file = format!("globe-history-{seed}-{}.jsonl", std::process::id());
    let path = folder.join(file);
    let _ = match history.save(&path) {
        Ok(()) => writeln!(
            report,
            "check it again: cargo run -p globe-oracle --bin globe-check -- {}",
            path.display()
        ),
        Err(error) => writeln!(report, "the history could not be saved: {error}"),
    };
    report
}
