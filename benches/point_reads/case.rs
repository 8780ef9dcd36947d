//! One row of each table: so many keys, so many readers, so many writes meanwhile, for all subjects by turns.
//!
//! It never fills a map: all cases of a size read the same ones.

use std::thread;

use globe_bench::{Contest, Unit, report_contest, rounds};

use crate::round::{Load, Round, run};
use crate::subject::{Done, Subject};

/// How often each subject is measured in a case.
const ROUNDS: usize = 21;

/// How fast somebody writes meanwhile.
const LOADS: [(&str, Load); 3] = [
    ("idle", Load::Idle),
    ("10,000 writes/s", Load::Rate(10_000.0)),
    ("writes at full speed", Load::Full),
];

/// What is reported of each round, each in a table of its own.
type Figure = (&'static str, Unit, fn(&Round) -> f64);
const FIGURES: [Figure; 5] = [
    ("", Unit::Time, |round| round.read),
    ("_p50", Unit::Time, |round| round.within(0.5)),
    ("_p99", Unit::Time, |round| round.within(0.99)),
    ("_p999", Unit::Time, |round| round.within(0.999)),
    ("_writes", Unit::PerSecond, |round| round.writes),
];

/// Measures all loads with all numbers of readers, and reports them in tables whose names begin with `group`.
pub(crate) fn measure(group: &str, size: &str, subjects: &mut [Box<dyn Subject>]) -> Done {
    for readers in numbers_of_readers() {
        for (load_name, load) in LOADS {
            let figure = match readers {
                1 => format!("{size} keys, 1 reader, {load_name}"),
                _ => format!("{size} keys, {readers} readers, {load_name}"),
            };
            let all = contests(subjects, readers, load)?;
            for (contest, (name, unit, _)) in all.iter().zip(FIGURES) {
                if unit == Unit::Time || load != Load::Idle {
                    report_contest(&format!("{group}{name}"), &figure, contest);
                }
            }
        }
    }
    Ok(())
}

/// One, twice as many, and so on, up to all that run at once.
fn numbers_of_readers() -> Vec<usize> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let doubled = std::iter::successors(Some(1), |readers| Some(readers * 2));
    let fewer = doubled.take_while(|readers| *readers < cores);
    fewer.chain([cores]).collect()
}

/// A contest for each figure.
fn contests(
    subjects: &mut [Box<dyn Subject>],
    readers: usize,
    load: Load,
) -> Done<[Contest; FIGURES.len()]> {
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name()).collect();
    let mut all = FIGURES.map(|(_, unit, _)| Contest::of(unit, names.clone()));
    let mut reads = Vec::new();
    for subject in subjects.iter() {
        let places = (0..readers).map(|reader| reader * 7_919);
        let own: Done<Vec<_>> = places.map(|place| subject.reader(place)).collect();
        reads.push(own?);
    }
    for round in 0..rounds(ROUNDS).max(5) {
        let mut took = FIGURES.map(|_| vec![f64::NAN; names.len()]);
        for turn in Contest::turns(round, names.len()) {
            let came_out = run(&mut *subjects[turn], &mut reads[turn], load)?;
            for (took, (_, _, figure)) in took.iter_mut().zip(FIGURES) {
                took[turn] = figure(&came_out);
            }
        }
        for (contest, took) in all.iter_mut().zip(took) {
            contest.count(took);
        }
    }
    Ok(all)
}
