//! How long a failed member is left alone.
//!
//! Never waits itself.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);

/// The longest pause with one member; with several it is longer, so that a long outage of all of them still costs about
/// one dial a second altogether.
const LONGEST: Duration = Duration::from_secs(1);
const LONGEST_OF_MANY: Duration = Duration::from_secs(5);

/// The pause after the `failures`th failure in a row of one of `members` members, spread by `jitter` (0 to 1) so that
/// many clients do not come back at once.
pub(crate) fn pause(failures: u32, members: usize, jitter: f64) -> Duration {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    let longest = LONGEST.saturating_mul(members).min(LONGEST_OF_MANY);
    let doublings = failures.saturating_sub(1).min(16);
    let full = FIRST.saturating_mul(1 << doublings).min(longest);
    full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
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
        assert_eq!(millis(5, 1), 1000);
        assert_eq!(millis(u32::MAX, 1), 1000);
        assert_eq!(millis(99, 3), 3000);
        assert_eq!(millis(99, 9), 5000);
    }

    #[test]
    fn jitter_takes_at_most_half() {
        assert_eq!(pause(1, 1, 0.0).as_millis(), 50);
        assert_eq!(pause(1, 1, 7.0).as_millis(), 100);
    }
}
