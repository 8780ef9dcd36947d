//! What a figure is counted in, and how it is shown.
//!
//! It never decides anything: what is shown is rounded, what was measured is not.

use serde::{Deserialize, Serialize};

/// What the numbers of two peers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Nanoseconds, of a clock or of a processor, shown in the unit that suits them.
    #[default]
    Time,
    /// Bytes, shown to the last one.
    Bytes,
    /// Messages.
    Messages,
    /// Keys, shown to a tenth of one.
    Keys,
    /// Claims.
    Claims,
    /// Shards.
    Shards,
    /// How often something was done in a second.
    PerSecond,
    /// Bytes, shown in thousands or millions of them.
    Memory,
    /// Whatever the figure names, shown to a hundredth where it is few.
    Count,
}

impl Unit {
    /// Whether it is a good thing to have more of it.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        self == Unit::PerSecond
    }

    /// An amount of it.
    #[must_use]
    pub fn show(self, amount: f64) -> String {
        match self {
            Unit::Time => match amount.abs() {
                short if short < 1e3 => format!("{amount:.1} ns"),
                short if short < 1e6 => format!("{:.1} µs", amount / 1e3),
                short if short < 1e9 => format!("{:.1} ms", amount / 1e6),
                _ => format!("{:.2} s", amount / 1e9),
            },
            // The sum is never less than nothing by its sign alone.
            Unit::Bytes => format!("{:.0} B", amount.round() + 0.0),
            Unit::Messages => format!("{amount:.0} messages"),
            Unit::Keys => format!("{amount:.1} keys"),
            Unit::Claims => format!("{amount:.0} claims"),
            Unit::Shards => format!("{amount:.0} shards"),
            Unit::PerSecond => match amount.abs() {
                few if few < 1e4 => format!("{amount:.0}/s"),
                _ => format!("{:.0} k/s", amount / 1e3),
            },
            Unit::Memory => match amount.abs() {
                few if few < 1e3 => format!("{amount:.0} B"),
                some if some < 1e6 => format!("{:.1} KB", amount / 1e3),
                _ => format!("{:.1} MB", amount / 1e6),
            },
            Unit::Count => match amount.abs() {
                none if none < 0.005 => "0.00".to_owned(),
                few if few < 10.0 => format!("{amount:.2}"),
                _ => format!("{amount:.0}"),
            },
        }
    }
}
