//! How much is measured: everything, or so little that one can wait for it.
//!
//! It never changes what a figure is of: only how often it is measured, and how large what is measured gets.

/// Set for a quick run.
const QUICK: &str = "GLOBE_BENCH_QUICK";

/// In a quick run the second, otherwise the first.
pub fn either<T>(thorough: T, quick: T) -> T {
    match std::env::var_os(QUICK) {
        Some(_) => quick,
        None => thorough,
    }
}

/// So many rounds, or in a quick run a tenth of them: three at least, where there are three.
#[must_use]
pub fn rounds(all: usize) -> usize {
    either(all, (all / 10).max(3).min(all))
}

/// Sizes that maps are measured at, each under the name it is shown by: in a quick run without the largest.
#[must_use]
pub fn sizes() -> &'static [(&'static str, usize)] {
    const ALL: &[(&str, usize)] = &[("1 k", 1_000), ("100 k", 100_000), ("1 M", 1_000_000)];
    either(ALL, &ALL[..2])
}
