//! What is counted does not grow.
//!
//! The first count of each name is what the last is compared with.

use std::collections::BTreeMap;

use super::timeline::Timeline;
use crate::history::History;

pub(crate) fn check(history: &History, _: &Timeline) -> Vec<String> {
    let mut counts = BTreeMap::new();
    for gauge in history.gauges() {
        let (_, last) = counts.entry(&gauge.what).or_insert((gauge, gauge));
        *last = gauge;
    }
    let grown = counts
        .into_iter()
        .filter(|(_, (first, last))| last.value > first.value + first.tolerance);
    grown
        .map(|(what, (first, last))| {
            format!(
                "{what} grew from {} to {}, more than {} are a leak",
                first.value, last.value, first.tolerance
            )
        })
        .collect()
}
