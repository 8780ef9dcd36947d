//! What was taken from a listing, and what was added to it.
//!
//! It never says whether that breaks anybody: that is for people to decide.

use std::collections::BTreeSet;

/// The lines that only one of two listings has, sorted, so that what was changed stands together: `- ` was listed, `+ ` is
/// new. Empty if they are the same.
#[must_use]
pub fn difference(listed: &str, found: &str) -> String {
    let listed: BTreeSet<&str> = listed.lines().collect();
    let found: BTreeSet<&str> = found.lines().collect();
    let gone = listed.difference(&found).map(|line| (*line, '-'));
    let new = found.difference(&listed).map(|line| (*line, '+'));
    let mut lines: Vec<(&str, char)> = gone.chain(new).collect();
    // By what the line is about; of one item what it was comes first.
    lines.sort_by_key(|(line, sign)| (line.split(": ").next(), *sign == '+', *line));
    lines
        .iter()
        .map(|(line, sign)| format!("{sign} {line}\n"))
        .collect()
}
