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
    /// At most so much more than the peer takes, in the unit of the turns.
    Over(f64),
    /// Less than so much, whatever the peer takes.
    Under(f64),
    /// It is only reported.
    None,
}

/// One row, in Markdown: figure, ours, peer, ratio, target, met.
#[derive(Debug)]
struct Row<'a> {
    /// What was measured, and beside what.
    pub figure: &'a str,
    /// What both took.
    pub turns: &'a Turns,
    /// What it has to be.
    pub target: Target,
}

/// Prints a row.
#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
pub fn report(figure: &str, turns: &Turns, target: Target) {
    let row = Row {
        figure,
        turns,
        target,
    };
    println!("{row}");
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
        let show = |amount| self.turns.unit().show(amount);
        let met = match self.is_met() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        let times = format!("{:.2}×", self.turns.ratio());
        let (compared, target) = match self.target {
            Target::Times(most) => (times, format!("≤ {most}×")),
            Target::Over(most) => {
                let sign = if ours < peer { "−" } else { "+" };
                let over = format!("{sign}{}", show((ours - peer).abs()));
                (over, format!("≤ +{}", show(most)))
            }
            Target::Under(most) => (times, format!("< {}", show(most))),
            Target::None => (times, "–".to_owned()),
        };
        let (figure, ours, peer) = (self.figure, show(ours), show(peer));
        write!(
            f,
            "| {figure} | {ours} | {peer} | {compared} | {target} | {met} |"
        )
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Duration;

    use super::*;
    use crate::unit::Unit;

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
    #[test]
    fn a_row_says_what_it_counts() {
        let row = |unit, target| {
            let mut turns = Turns::of(unit);
            turns.count(150_000.0, 100_000.0);
            let (figure, turns) = ("x", &turns);
            Row {
                figure,
                turns,
                target,
            }
            .to_string()
        };
        assert_eq!(
            row(Unit::Bytes, Target::Under(65_536.0)),
            "| x | 150000 B | 100000 B | 1.50× | < 65536 B | **no** |"
        );
        assert_eq!(
            row(Unit::Messages, Target::Times(1.5)),
            "| x | 150000 messages | 100000 messages | 1.50× | ≤ 1.5× | yes |"
        );
        assert_eq!(
            row(Unit::Time, Target::Over(1e6)),
            "| x | 150.0 µs | 100.0 µs | +50.0 µs | ≤ +1.0 ms | yes |"
        );
    }
}
