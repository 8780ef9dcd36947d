//! How much of what a zone asks stays in it.
//!
//! Only computes.

/// A zone keeps all it asks for while it has at least this much of its fair share.
const ENOUGH: f64 = 0.7;

/// Which share of its requests a zone keeps: 1 while it has at least 0.7 of its fair share, and in proportion to what it
/// has below that, so that no member of it gets more than 1/0.7 of what members get on average.
///
/// The fair share is that of a zone among all that are told apart, its own included, as if each asked for the same: `total`
/// weight divided by `zones`. Members without a zone count as one zone.
pub(crate) fn kept(own: u64, total: u64, zones: usize) -> f64 {
    if total == 0 {
        return 0.0;
    }
    let share = own as f64 * zones as f64 / total as f64;
    if share >= ENOUGH { 1.0 } else { share / ENOUGH }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_keeps_what_it_can_bear_and_the_rest_spills() {
        let table = [
            (100, 300, 3, 1.0),
            (70, 300, 3, 1.0),
            (35, 300, 3, 0.5),
            (7, 300, 3, 0.1),
            (0, 300, 3, 0.0),
            (0, 0, 1, 0.0),
            (300, 300, 1, 1.0),
            (299, 300, 2, 1.0),
        ];
        for (own, total, zones, expected) in table {
            let found = kept(own, total, zones);
            assert!((found - expected).abs() < 1e-9, "{own} of {total}: {found}");
        }
        // No member bears more than 1/0.7 of the average.
        for own in 1..=300 {
            let asked = kept(own, 300, 3) / 3.0;
            let borne = asked / (own as f64 / 300.0);
            assert!(borne <= 1.0 / ENOUGH + 1e-9, "{own}: {borne}");
        }
    }
}
