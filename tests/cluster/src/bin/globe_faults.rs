//! Breaks real clusters: `globe-faults matrix [--leg LEG] [NAME …]`, `globe-faults figures [TOPIC]`, `globe-faults list`.
//!
//! Runs itself again in a network of its own where the machine allows it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its user"
)]

use std::process::ExitCode;

use std::time::Duration;

use globe_cluster_tests::{Choice, Extent, SCENARIOS, compete, measure_all, play_all};
use globe_test_support::netns;

fn main() -> ExitCode {
    // `RUST_LOG=globe=debug,globe_etcd=debug` tells what the library itself thinks of it.
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("list") => {
            list();
            ExitCode::SUCCESS
        }
        // What a round starts as a process of its own.
        Some("rival") => wait_for(async {
            compete().await;
            ExitCode::SUCCESS
        }),
        Some("figures") => inside(&words, |words| figures(&words[1..])),
        Some("matrix") => inside(&words, |words| matrix(&words[1..])),
        _ => {
            eprintln!("usage: globe-faults matrix [--leg LEG] [NAME …] | figures [TOPIC] | list");
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
        program: std::env::current_exe().unwrap_or_default(),
        ..Choice::default()
    };
    let (mut leg, mut names) = (String::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--leg" => leg = words.next().cloned().unwrap_or_default(),
            name => names.push(name.to_owned()),
        }
    }
    if names.is_empty() && !leg.is_empty() {
        names.push(String::new());
    }
    choice.pairs = names.into_iter().map(|name| (leg.clone(), name)).collect();
    let summary = wait_for(play_all(&choice, |played| println!("{played}")));
    println!("\n== summary\n{summary}");
    code(summary.is_good())
}

fn figures(words: &[String]) -> ExitCode {
    let seconds = |name, default| Duration::from_secs(number(name, default));
    let count = |name, default| usize::try_from(number(name, default)).unwrap_or(usize::MAX);
    let extent = Extent {
        rounds: count("GLOBE_ROUNDS", 20),
        alarm: seconds("GLOBE_ALARM_SECONDS", 90),
        down: seconds("GLOBE_DOWN_SECONDS", 30),
        reconnects: count("GLOBE_RECONNECTS", 1_000),
    };
    let only = words.first().map_or("", String::as_str);
    println!("| figure | promised | measured | kept |\n|---|---|---|---|");
    code(wait_for(measure_all(extent, only, |figure| {
        println!("{figure}");
    })))
}

fn wait_for<T>(all: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new();
    runtime
        .unwrap_or_else(|error| panic!("no runtime: {error}"))
        .block_on(all)
}

fn code(is_good: bool) -> ExitCode {
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
