//! Storms of sessions: several processes on logs that fail by a seed write entries, lose their leases, are cut off, close and
//! begin anew; then what stands is compared with what each was told.
//!
//! Each test lives through its share of the seeds. `GLOBE_SEEDS=10000` makes it more, `GLOBE_SEED=7` replays one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod expected;
mod process;
mod way;
#[allow(dead_code, reason = "the other storms use more of it")]
#[path = "../storm/weather.rs"]
mod weather;
mod world;

/// Seeds in the ordinary run.
const SEEDS: u64 = 160;

/// Tests they are shared by.
const SHARES: u64 = 4;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn share(number: u64) {
    let seeds = match setting("GLOBE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("GLOBE_SEEDS").unwrap_or(SEEDS),
    };
    let mine = seeds.filter(|seed| seed % SHARES == number);
    let failed: Vec<u64> = mine
        .filter(|seed| std::panic::catch_unwind(|| world::live_through(*seed)).is_err())
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

mod every_session_storm_is_lived_through {
    use super::share;

    shares!(of_share_0: 0, of_share_1: 1, of_share_2: 2, of_share_3: 3);
}
