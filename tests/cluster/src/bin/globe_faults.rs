//! Breaks real clusters: `globe-faults matrix [--leg LEG] [NAME …]`, `globe-faults list`.
//!
//! Runs itself again in a network of its own where the machine allows it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its user"
)]

use std::process::ExitCode;

use globe_cluster_tests::{Choice, SCENARIOS, play_all};
use globe_test_support::netns;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("list") => {
            list();
            ExitCode::SUCCESS
        }
        Some("matrix") => inside(&words, |words| matrix(&words[1..])),
        _ => {
            eprintln!("usage: globe-faults matrix [--leg LEG] [NAME …] | list");
            ExitCode::from(2)
        }
    }
}

fn list() {
    for scenario in SCENARIOS {
        let legs: Vec<_> = scenario.legs.iter().map(|leg| leg.name).collect();
        println!("{:<45} {}", scenario.name, legs.join(" | "));
    }
}

/// Does it in a network of its own, if that may be had.
fn inside(words: &[String], act: fn(&[String]) -> ExitCode) -> ExitCode {
    if netns::is_inside() {
        return act(words);
    }
    match netns::allowed() {
        Ok(()) => {
            let code = netns::run_inside(words);
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Err(why) => {
            eprintln!("NO NETWORK NAMESPACES HERE ({why}): what needs hosts of its own is NOT RUN");
            act(words)
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    let said = std::env::var(name).ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(default)
}

fn matrix(words: &[String]) -> ExitCode {
    let mut choice = Choice {
        rounds: number("GLOBE_ROUNDS", 1),
        seed: number("GLOBE_SEED", 1),
        ..Choice::default()
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--leg" => choice.leg = words.next().cloned().unwrap_or_default(),
            name => choice.names.push(name.to_owned()),
        }
    }
    let runtime = tokio::runtime::Runtime::new();
    let Ok(runtime) = runtime else {
        eprintln!("no runtime");
        return ExitCode::FAILURE;
    };
    let summary = runtime.block_on(play_all(&choice, |played| println!("{played}")));
    println!("\n== summary\n{summary}");
    if summary.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
