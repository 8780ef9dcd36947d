//! A thousand storms: several nodes on logs that fail by a seed, everything they did and saw recorded, and judged.
//!
//! Each test lives through its share of the seeds. `GLOBE_SEEDS=10000` makes it more, `GLOBE_SEED=7` replays one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod storm;

use globe_oracle::{Event, History, judge, judge_except};
use storm::live_through;
use storm::weather::Weather;

/// Seeds in the ordinary run.
const SEEDS: u64 = 1_000;

/// Tests they are shared by.
const SHARES: u64 = 8;

/// What a log that breaks its contract can make untrue until it is found out. What was written stays true all the same,
/// and so does where it ends.
const BROKEN_PROMISES: [&str; 11] = [
    "delivery",
    "resync",
    "visibility",
    "monotonic",
    "own writes",
    "causal",
    "linearizable",
    "registers",
    "staleness",
    "isolation",
    "compare-and-swap",
];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Lives through the storm of a seed, and judges it.
fn storm(seed: u64) {
    let weather = Weather::of(seed);
    let history = live_through(&weather);
    if weather.is_foul {
        judge_except(&history, &BROKEN_PROMISES);
    } else {
        judge(&history);
    }
}

fn share(number: u64) {
    let seeds = match setting("GLOBE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("GLOBE_SEEDS").unwrap_or(SEEDS),
    };
    let mine = seeds.filter(|seed| seed % SHARES == number);
    let failed: Vec<u64> = mine
        .filter(|seed| std::panic::catch_unwind(|| storm(*seed)).is_err())
        .collect();
    assert!(
        failed.is_empty(),
        "replay each with GLOBE_SEED=…: {failed:?}"
    );
}

macro_rules! shares {
    ($($name:ident: $number:literal),*) => {$(
        #[test]
        fn $name() {
            share($number);
        }
    )*};
}

mod every_storm_is_lived_through {
    use super::share;

    shares!(
        of_share_0: 0, of_share_1: 1, of_share_2: 2, of_share_3: 3,
        of_share_4: 4, of_share_5: 5, of_share_6: 6, of_share_7: 7
    );
}

/// A history with its epochs, which the memory log draws from the system, numbered in the order they came.
fn story(history: &History) -> Vec<String> {
    let mut epochs = Vec::new();
    let mut number = |epoch: &str| {
        let known = epochs.iter().position(|known| known == epoch);
        known.unwrap_or_else(|| {
            epochs.push(epoch.to_owned());
            epochs.len() - 1
        })
    };
    // Of a position or a version, `7@00000000000000fe` or `7-00000000000000fe`, what stands behind the mark.
    let line = |event: &Event| {
        let text = serde_json::to_string(event).unwrap();
        let mut parts = text.split_inclusive(['@', '-']);
        let mut line = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            match part.split_at_checked(16) {
                Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    line += &format!("{}{rest}", number(epoch));
                }
                _ => line += part,
            }
        }
        line
    };
    history.events.iter().map(line).collect()
}

/// But for those with claims: sessions ask a second clock, which is not paused.
#[test]
fn a_seed_is_the_same_storm_every_time() {
    for seed in [0, 1, 3, 4, 8, 9, 14] {
        let weather = Weather::of(seed);
        let (first, second) = (live_through(&weather), live_through(&weather));
        let (first, second) = (story(&first), story(&second));
        let differs = first.iter().zip(&second).position(|(a, b)| a != b);
        if let Some(at) = differs {
            panic!("seed {seed}, event {at}: {}\n{}", first[at], second[at]);
        }
        assert_eq!(first.len(), second.len());
    }
}
