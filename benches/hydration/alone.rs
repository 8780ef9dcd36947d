//! What is measured in a process of its own, so that nothing it takes was taken, or freed, by what was measured before it.
//!
//! It never knows what is measured there.

use std::process::{Command, Stdio};

use globe_bench::Done;

/// Set for such a process: what it is to measure.
const ALONE: &str = "GLOBE_BENCH_ALONE";

/// What this process is to measure, if it is one of these.
pub(crate) fn told() -> Option<String> {
    std::env::var(ALONE).ok()
}

/// What a process says that is told this.
pub(crate) fn ask<const N: usize>(what: &str) -> Done<[u64; N]> {
    let output = Command::new(std::env::current_exe()?)
        .env(ALONE, what)
        .stderr(Stdio::inherit())
        .output()?;
    let said = String::from_utf8(output.stdout)?;
    let numbers = said.split_whitespace().map(str::parse);
    let numbers = numbers.collect::<Result<Vec<u64>, _>>()?;
    let wrong = |numbers: Vec<u64>| format!("{what:?}: {} numbers, not {N}", numbers.len());
    Ok(numbers.try_into().map_err(wrong)?)
}

/// Says it to who has asked.
#[expect(clippy::print_stdout, reason = "that is how it is heard")]
pub(crate) fn say<const N: usize>(numbers: [u64; N]) {
    println!("{}", numbers.map(|number| number.to_string()).join(" "));
}
