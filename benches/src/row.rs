//! One row of the table of figures: what was measured, beside what, and whether that is good enough.
//!
//! It never rounds in our favour: what decides is the number that was measured, not the one that is shown.

use std::fmt;

use crate::contest::Contest;
use crate::record::{Line, Record, Subject};
use crate::results::keep;
use crate::turns::Turns;
use crate::unit::Unit;

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

impl Target {
    /// As it is shown.
    fn show(self, unit: Unit) -> String {
        match self {
            Target::Times(most) => format!("≤ {most}×"),
            Target::Over(most) => format!("≤ +{}", unit.show(most)),
            Target::Under(most) => format!("< {}", unit.show(most)),
            Target::None => "–".to_owned(),
        }
    }
}

/// One row, in Markdown: figure, what each subject took, what comes of comparing ours to the best peer, target, met.
#[derive(Debug)]
struct Row<'a> {
    /// What was measured, and beside what.
    figure: &'a str,
    /// What all took.
    contest: &'a Contest,
    /// What it has to be.
    target: Target,
}

/// Prints a row of two, and keeps it in a table of this benchmark's name.
#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
pub fn report(figure: &str, turns: &Turns, target: Target) {
    let row = Row {
        figure,
        contest: turns.contest(),
        target,
    };
    println!("{row}");
    keep(&Line::Row(row.record(&this_benchmark())));
}

/// Prints a row of any number of subjects, and keeps it in the table of this name.
pub fn report_contest(group: &str, figure: &str, contest: &Contest) {
    report_contest_for(group, figure, contest, Target::None);
}

/// As [`report_contest`], for what ours has to be beside the best peer.
#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
pub fn report_contest_for(group: &str, figure: &str, contest: &Contest, target: Target) {
    let row = |figure| Row {
        figure,
        contest,
        target,
    };
    // By hand, the rows of several tables come one after the other.
    let named = format!("{group}: {figure}");
    println!("{}", row(&named));
    keep(&Line::Row(row(figure).record(group)));
}

/// Prints what stands above the rows of a contest, for who runs it by hand.
#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
pub fn print_head(names: &[String]) {
    let lines = "--:|".repeat(names.len() + 1);
    let names = names.join(" | ");
    println!("\n| figure | {names} | compared | target | met |\n|---|{lines}--:|---|");
}

/// The name of the program, without the mark of its build.
fn this_benchmark() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    let name = name.rsplit_once('-').map_or(&*name, |(name, _)| name);
    name.to_owned()
}

impl Row<'_> {
    fn median(&self, subject: usize) -> f64 {
        self.contest.spread(subject).median
    }

    fn ratio(&self) -> f64 {
        self.contest.ratio(self.contest.best_peer())
    }

    fn is_met(&self) -> Option<bool> {
        let (ours, peer) = (self.median(0), self.median(self.contest.best_peer()));
        match self.target {
            Target::Times(most) => Some(self.ratio() <= most),
            Target::Over(most) => Some(ours - peer <= most),
            Target::Under(most) => Some(ours < most),
            Target::None => None,
        }
    }

    fn compared(&self) -> String {
        let names = self.contest.names();
        let best = self.contest.best_peer();
        let over = self.median(0) - self.median(best);
        match self.target {
            Target::Over(_) => {
                let sign = if over < 0.0 { "−" } else { "+" };
                format!("{sign}{}", self.contest.unit().show(over.abs()))
            }
            // Nothing is so many times what took nothing, or what a slope makes less than that.
            _ if self.median(0) < 0.0 || self.median(best) <= 0.0 => "–".to_owned(),
            _ if names.len() > 2 => format!("{} {}", times(self.ratio()), names[best]),
            _ => times(self.ratio()),
        }
    }

    /// All there is to know of it.
    fn record(&self, group: &str) -> Record {
        let names = self.contest.names().iter().enumerate();
        let subjects = names.map(|(place, name)| Subject {
            name: name.clone(),
            spread: self.contest.spread(place),
        });
        Record {
            group: group.to_owned(),
            figure: self.figure.to_owned(),
            unit: self.contest.unit(),
            subjects: subjects.collect(),
            ratio: Some(self.ratio()).filter(|ratio| ratio.is_finite()),
            compared: self.compared(),
            target: self.target.show(self.contest.unit()),
            met: self.is_met(),
        }
    }
}

/// So many times. What is less than a thousandth is no more than that.
fn times(ratio: f64) -> String {
    match ratio {
        none if none > 0.0 && none < 0.001 => "< 0.001×".to_owned(),
        little if little > 0.0 && little < 0.01 => format!("{little:.3}×"),
        ratio => format!("{ratio:.2}×"),
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record("");
        write!(f, "| {} |", record.figure)?;
        for subject in &record.subjects {
            write!(f, " {} |", record.unit.show(subject.spread.median))?;
        }
        let met = record.says_met();
        write!(f, " {} | {} | {met} |", record.compared, record.target)
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
            let contest = turns.contest();
            Row {
                figure: "x",
                contest,
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
    fn a_row_of_many_names_the_peer_that_ours_is_compared_to() {
        let mut contest = Contest::of(Unit::Time, ["Globe", "slow", "fast"]);
        contest.count(vec![12.0, 30.0, 10.0]);
        let row = Row {
            figure: "x",
            contest: &contest,
            target: Target::None,
        };
        assert_eq!(
            row.to_string(),
            "| x | 12.0 ns | 30.0 ns | 10.0 ns | 1.20× fast | – | – |"
        );
    }

    #[test]
    fn beside_a_peer_that_took_nothing_a_row_has_no_ratio() {
        let mut turns = Turns::of(Unit::Count);
        turns.count(2.0, 0.0);
        let (figure, contest, target) = ("x", turns.contest(), Target::Times(1.5));
        let row = Row {
            figure,
            contest,
            target,
        };
        assert_eq!(row.to_string(), "| x | 2.00 | 0.00 | – | ≤ 1.5× | **no** |");
        // JSON knows no such number.
        assert_eq!(row.record("").ratio, None);
    }

    #[test]
    fn a_row_says_what_it_counts() {
        let row = |unit, target| {
            let mut turns = Turns::of(unit);
            turns.count(150_000.0, 100_000.0);
            let (figure, contest) = ("x", turns.contest());
            Row {
                figure,
                contest,
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
