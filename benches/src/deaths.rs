//! Deaths, told in two rows: how long it took until nothing was missing any more, and the longest of them.
//!
//! Never leaves one out.

use tokio::time::Duration;

use crate::row::{Target, report};
use crate::turns::Turns;

/// What deaths took, beside their peer, under a name for all, and one for the longest.
pub fn report_deaths(figure: &str, all: &[(Duration, Duration)], most: Duration) {
    let (mut turns, mut worst) = (Turns::default(), Turns::default());
    all.iter().for_each(|(ours, peer)| turns.push(*ours, *peer));
    let most = Target::Under(most.as_nanos() as f64);
    report(figure, &turns, most);
    let longest = |of: fn(&(Duration, Duration)) -> Duration| all.iter().map(of).max();
    worst.push(
        longest(|(ours, _)| *ours).unwrap_or_default(),
        longest(|(_, peer)| *peer).unwrap_or_default(),
    );
    report(
        &format!("the longest of {} times each", all.len()),
        &worst,
        most,
    );
}
