//! The rows of what grows: each figure for each number, and then what one more costs.
//!
//! It measures nothing.

use globe_bench::{Contest, Target, Unit, report_contest, report_contest_for, slope};

use crate::follower::{Load, NAMES};
use crate::growth::{Growth, Round};
use crate::sample::{FIGURES, MEMORY, OF_THE_SERVER};

/// What an idle map may take of its process's memory, in bytes.
const MAP: f64 = 100_000.0;

/// How many maps of a process are to cost a server as much as one does, and how nearly.
const MANY: usize = 100;
const NEARLY: f64 = 1.5;

/// One map of as many keyspaces, all of which are written to.
pub(crate) const ONE_OF_MANY: Load = Load {
    processes: 1,
    maps: 1,
    entries: 1,
    keyspaces: MANY,
};

/// A row of each figure for each number, and one for each figure of what one more costs.
pub(crate) fn report(growth: &Growth, rounds: &[Round]) {
    for (figure, (name, unit)) in FIGURES.into_iter().enumerate() {
        for (place, number) in growth.numbers.iter().enumerate() {
            let mut contest = Contest::of(unit, NAMES);
            for round in rounds {
                contest.count(round.samples[place].map(|sample| sample[figure]).to_vec());
            }
            let what = format!("{name}: {}", counted(*number, growth.noun));
            report_contest(growth.group, &what, &contest);
        }
        let target = match figure {
            MEMORY if growth.noun == "map" => Target::Under(MAP),
            _ => Target::None,
        };
        let contest = one_more(growth, rounds, figure, unit);
        let what = format!("{name}: **one more {}**", growth.noun);
        report_contest_for(growth.group, &what, &contest, target);
    }
}

fn one_more(growth: &Growth, rounds: &[Round], figure: usize, unit: Unit) -> Contest {
    let mut contest = Contest::of(unit, NAMES);
    for round in rounds {
        let numbers = growth.numbers.iter().map(|number| *number as f64);
        let slope_of = |who: usize| {
            let costs = round.samples.iter().map(|both| both[who][figure]);
            slope(&numbers.clone().zip(costs).collect::<Vec<_>>())
        };
        contest.count(vec![slope_of(0), slope_of(1)]);
    }
    contest
}

fn counted(number: usize, noun: &str) -> String {
    match (number, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "process") => format!("{number} processes"),
        _ => format!("{number} {noun}s"),
    }
}

/// What a server has to do for many maps of a process, beside what it has to do for one while as much is written elsewhere.
pub(crate) fn report_many(growth: &Growth, rounds: &[Round]) {
    let Some(many) = growth.numbers.iter().position(|number| *number == MANY) else {
        return;
    };
    for figure in OF_THE_SERVER {
        let (name, unit) = FIGURES[figure];
        let mut contest = Contest::of(unit, [format!("{MANY} maps"), "one map".to_owned()]);
        for round in rounds {
            let one = round.beside.map_or(f64::NAN, |one| one[figure]);
            contest.count(vec![round.samples[many][0][figure], one]);
        }
        report_contest_for("growth_many", name, &contest, Target::Times(NEARLY));
    }
}
