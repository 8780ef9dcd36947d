//! What is promised in numbers, measured on a real cluster with default settings.
//!
//! It explains nothing: `docs/faults.md` does.

mod alarms;
mod detection;
mod endpoints;
mod freshness;
mod leader;
mod leaks;
mod pulse;
mod unknown;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_test_support::netns::{self, Hosts};

/// One number, and what it should be.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What is promised.
    pub target: String,
    /// What was seen.
    pub measured: String,
    /// Whether that keeps the promise.
    pub is_met: bool,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How often each fault is repeated.
    pub rounds: usize,
    /// How long the machine is kept busy.
    pub alarm: Duration,
    /// How long an endpoint stays down.
    pub down: Duration,
    /// How often connections are reset.
    pub reconnects: usize,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_met { "yes" } else { "**no**" };
        write!(
            f,
            "| {} | {} | {} | {verdict} |",
            self.what, self.target, self.measured
        )
    }
}

impl Figure {
    /// Durations, of which the 99th percentile must not be over a bound.
    pub(crate) fn within(what: &str, bound: Duration, mut seen: Vec<Duration>) -> Figure {
        seen.sort();
        let at = |share: f64| {
            let last = seen.len().saturating_sub(1);
            let index = (share * last as f64).ceil() as usize;
            seen.get(index).copied().unwrap_or(Duration::MAX)
        };
        let (middle, high) = (at(0.5), at(0.99));
        let target = match bound {
            Duration::MAX => "–".to_owned(),
            bound => format!("p99 ≤ {} ms", bound.as_millis()),
        };
        let (half, most) = (middle.as_millis(), high.as_millis());
        Figure {
            what: what.to_owned(),
            target,
            measured: format!("p50 {half} ms, p99 {most} ms, n = {}", seen.len()),
            is_met: high <= bound,
        }
    }

    /// A count that must not be over a bound.
    pub(crate) fn at_most(what: &str, bound: f64, seen: f64, detail: &str) -> Figure {
        Figure {
            what: what.to_owned(),
            target: format!("≤ {bound}"),
            measured: format!("{seen:.2}{detail}"),
            is_met: seen <= bound,
        }
    }
}

/// Measures everything whose name contains `only`, and tells of each figure as it is known.
pub async fn measure_all(extent: Extent, only: &str, mut tell: impl FnMut(&Figure)) -> bool {
    let hosts = netns::is_inside().then(|| Arc::new(Hosts::new(3)));
    let mut good = true;
    for topic in [
        "detection",
        "freshness",
        "leader",
        "endpoints",
        "alarms",
        "unknown",
        "leaks",
    ] {
        if !topic.contains(only) {
            continue;
        }
        let hosts = hosts.clone();
        let figures = match topic {
            "detection" => detection::measure(hosts, extent).await,
            "freshness" => freshness::measure(hosts, extent).await,
            "leader" => leader::measure(hosts, extent).await,
            "endpoints" => endpoints::measure(hosts, extent).await,
            "alarms" => alarms::measure(hosts, extent).await,
            "unknown" => unknown::measure(hosts, extent).await,
            _ => leaks::measure(hosts, extent).await,
        };
        for figure in figures {
            tell(&figure);
            good &= figure.is_met;
        }
    }
    good
}
