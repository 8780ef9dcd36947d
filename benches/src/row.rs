//! One row of the table of figures: what was measured, beside what, and whether that is good enough.
//!
//! It never rounds in our favour: what decides is the number that was measured, not the one that is shown.

use std::fmt;

use crate::turns::Turns;

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At most so many times what the peer takes.
    Times(f64),
    /// At most so many nanoseconds more than the peer takes.
    Over(f64),
    /// Less than so many nanoseconds, whatever the peer takes.
    Under(f64),
    /// It is only reported.
    None,
}

/// One row, in Markdown: figure, ours, peer, ratio, target, met.
#[derive(Debug)]
pub struct Row<'a> {
    /// What was measured, and beside what.
    pub figure: &'a str,
    /// What both took.
    pub turns: &'a Turns,
    /// What it has to be.
    pub target: Target,
}

impl Row<'_> {
    fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::Times(most) => Some(self.turns.ratio() <= most),
            Target::Over(most) => Some(self.turns.ours() - self.turns.peer() <= most),
            Target::Under(most) => Some(self.turns.ours() < most),
            Target::None => None,
        }
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ours, peer) = (self.turns.ours(), self.turns.peer());
        let met = match self.is_met() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        let (compared, target) = match self.target {
            Target::Times(most) => (format!("{:.2}×", self.turns.ratio()), format!("≤ {most}×")),
            Target::Over(most) => (
                format!(
                    "{}{}",
                    if ours < peer { "−" } else { "+" },
                    Time((ours - peer).abs())
                ),
                format!("≤ +{}", Time(most)),
            ),
            Target::Under(most) => (
                format!("{:.2}×", self.turns.ratio()),
                format!("< {}", Time(most)),
            ),
            Target::None => (format!("{:.2}×", self.turns.ratio()), "–".to_owned()),
        };
        let figure = self.figure;
        write!(
            f,
            "| {figure} | {} | {} | {compared} | {target} | {met} |",
            Time(ours),
            Time(peer)
        )
    }
}

/// Nanoseconds, shown in the unit that suits them.
struct Time(f64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            short if short < 1e3 => write!(f, "{short:.1} ns"),
            short if short < 1e6 => write!(f, "{:.1} µs", short / 1e3),
            long => write!(f, "{:.1} ms", long / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Duration;

    use super::*;

    #[test]
    fn a_row_says_whether_its_target_was_met() {
        let mut turns = Turns::default();
        turns.push(Duration::from_nanos(1_200), Duration::from_nanos(1_000));
        let row = |target| {
            let turns = &turns;
            Row {
                figure: "x",
                turns,
                target,
            }
            .to_string()
        };
        let begin = "| x | 1.2 µs | 1.0 µs |";
        assert_eq!(
            row(Target::Times(1.1)),
            format!("{begin} 1.20× | ≤ 1.1× | **no** |")
        );
        assert_eq!(
            row(Target::Over(200.1)),
            format!("{begin} +200.0 ns | ≤ +200.1 ns | yes |")
        );
        assert_eq!(
            row(Target::Under(1e6)),
            format!("{begin} 1.20× | < 1.0 ms | yes |")
        );
        assert_eq!(row(Target::None), format!("{begin} 1.20× | – | – |"));
    }
}
