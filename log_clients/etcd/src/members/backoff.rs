//! How long a failed member is left alone.
//!
//! Never waits itself.

use std::time::Duration;

/// The pause after the first failure. It doubles with each that follows.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause for each member there is: when all of them are gone for long, that is at most one dial a second
/// altogether.
const LONGEST: Duration = Duration::from_millis(1500);

/// The pause of a member that answers, but has no leader: elections take about a second, and end for all at once.
const ELECTION: Duration = Duration::from_millis(150);

/// The pause after a refused password, and the longest. It doubles likewise.
const FIRST_REFUSAL: Duration = Duration::from_millis(500);
const LONGEST_REFUSAL: Duration = Duration::from_secs(15);

/// The pause after the `failures`th failure in a row of one of `members` members, spread by `jitter` (0 to 1) so that
/// many clients do not come back at once.
pub(crate) fn pause(failures: u32, members: usize, jitter: f64) -> Duration {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    let longest = LONGEST.saturating_mul(members);
    let doublings = failures.saturating_sub(1).min(16);
    spread(FIRST.saturating_mul(1 << doublings).min(longest), jitter)
}

/// The pause of a member that waits for a leader.
pub(crate) fn pause_of_election(jitter: f64) -> Duration {
    spread(ELECTION, jitter)
}

/// The pause before credentials are tried again that were refused `refusals` times in a row: each try costs the server the
/// better part of a tenth of a second.
pub(crate) fn pause_of_refusal(refusals: u32, jitter: f64) -> Duration {
    let doublings = refusals.saturating_sub(1).min(16);
    let full = FIRST_REFUSAL.saturating_mul(1 << doublings);
    spread(full.min(LONGEST_REFUSAL), jitter)
}

/// Takes away up to two thirds.
pub(crate) fn spread(full: Duration, jitter: f64) -> Duration {
    full.mul_f64((1.0 + 2.0 * jitter.clamp(0.0, 1.0)) / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_that_grows_with_the_members() {
        let millis = |failures, members| pause(failures, members, 1.0).as_millis();
        assert_eq!(millis(1, 1), 100);
        assert_eq!(millis(2, 1), 200);
        assert_eq!(millis(4, 1), 800);
        assert_eq!(millis(5, 1), 1500);
        assert_eq!(millis(u32::MAX, 1), 1500);
        assert_eq!(millis(99, 3), 4500);
    }

    #[test]
    fn jitter_takes_at_most_two_thirds() {
        assert_eq!(pause(2, 1, 7.0).as_millis(), 200);
        assert_eq!(pause(99, 1, 0.0).as_millis(), 500);
        assert_eq!(pause_of_election(0.0).as_millis(), 50);
    }
}
