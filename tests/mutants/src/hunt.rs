//! The hunt: several defects at a time, each with the tests that must find it.
//!
//! It believes no test that fails without a defect.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use globe_mutants::{Defect, Ended, Programs, TestName, Trial};

/// Threads race as they like, and real servers miss timers: what shows in one run of so many has shown.
const TRIES: usize = 3;

/// How long a test may take without a defect.
const LIMIT: Duration = Duration::from_secs(120);

/// With a defect it may take so much longer than without, and this besides, before it hangs.
const FACTOR: u32 = 5;
const GRACE: Duration = Duration::from_secs(10);

/// Where the tests are, and where their logs go.
pub(crate) struct Hunt<'a> {
    programs: &'a Programs,
    logs: PathBuf,
}

/// What a defect came to.
struct Outcome {
    is_found: bool,
    took: Duration,
    text: String,
}

impl<'a> Hunt<'a> {
    pub(crate) fn new(target: &Path, programs: &'a Programs) -> Hunt<'a> {
        let logs = target.join("mutants/logs");
        Hunt { programs, logs }
    }

    /// Looks for each of them. Returns how many were not found.
    pub(crate) fn run(&self, defects: &[&Defect]) -> Result<usize, String> {
        fs::create_dir_all(&self.logs).map_err(|error| error.to_string())?;
        let tests: BTreeSet<&TestName> = defects.iter().flat_map(|defect| &defect.tests).collect();
        let tests: Vec<&TestName> = tests.into_iter().collect();
        println!("== without a defect");
        let clean = self.without_a_defect(&tests)?;

        println!("== {:-32} {:>5}  found by", "defect", "s");
        // The longest first, so that the last ones are short.
        let mut defects = defects.to_vec();
        let longest = |defect: &Defect| defect.tests.iter().map(|test| clean[test]).max();
        defects.sort_by_key(|defect| std::cmp::Reverse(longest(defect)));
        let outcomes = at_once(&defects, |defect| {
            let outcome = self.look_for(defect, &clean);
            let (name, seconds) = (&defect.name, outcome.took.as_secs_f64());
            println!("   {name:-32} {seconds:>5.1}  {}", outcome.text);
            outcome
        });
        let seconds: f64 = outcomes
            .iter()
            .map(|outcome| outcome.took.as_secs_f64())
            .sum();
        println!("== {seconds:.0} s of trials");
        // Once more, where whoever sees only the end of this sees them.
        let of_each = defects.iter().zip(&outcomes);
        let not_found = of_each.filter(|(_, outcome)| !outcome.is_found);
        let not_found = not_found.map(|(defect, outcome)| (&defect.name, &outcome.text));
        let not_found: Vec<_> = not_found.collect();
        for (name, text) in &not_found {
            println!("   {name}: {text}");
        }
        Ok(not_found.len())
    }

    /// How long each takes when nothing is wrong.
    fn without_a_defect<'t>(
        &self,
        tests: &[&'t TestName],
    ) -> Result<BTreeMap<&'t TestName, Duration>, String> {
        let trials = at_once(tests, |test| {
            let log = format!("without-{}", test.name.replace("::", "."));
            let mut trial = self.trial(test, "", LIMIT, &log);
            for _ in 1..TRIES {
                if trial.ended != Ended::Passed {
                    trial = self.trial(test, "", LIMIT, &log);
                }
            }
            trial
        });
        let mut took = BTreeMap::new();
        for (test, trial) in tests.iter().zip(trials) {
            match trial.ended {
                Ended::Passed => took.insert(*test, trial.took),
                Ended::NotRun => return Err(format!("there is no test {test}")),
                Ended::Failed | Ended::Hung => {
                    return Err(format!("{}\n{test} fails without a defect", trial.log));
                }
            };
        }
        Ok(took)
    }

    fn look_for(&self, defect: &Defect, clean: &BTreeMap<&TestName, Duration>) -> Outcome {
        let mut took = Duration::ZERO;
        for attempt in 1..=TRIES {
            for test in &defect.tests {
                let limit = GRACE + clean[test] * FACTOR;
                let trial = self.trial(test, &defect.name, limit, &defect.name);
                took += trial.took;
                let mut text = match trial.ended {
                    Ended::Passed => continue,
                    Ended::NotRun => format!("NOT RUN: {test}"),
                    Ended::Hung => format!("hung: {}", test.name),
                    Ended::Failed => test.name.clone(),
                };
                let findings = trial.findings();
                if !findings.is_empty() {
                    text = format!("{text}: {findings}");
                }
                if attempt > 1 {
                    text = format!("{text} (try {attempt})");
                }
                let is_found = trial.ended != Ended::NotRun;
                return Outcome {
                    is_found,
                    took,
                    text,
                };
            }
        }
        let text = format!("SURVIVED: {}", defect.what);
        Outcome {
            is_found: false,
            took,
            text,
        }
    }

    fn trial(&self, test: &TestName, mutant: &str, limit: Duration, log: &str) -> Trial {
        let log = self.logs.join(format!("{log}.log"));
        Trial::run(self.programs, test, mutant, limit, &log)
    }
}

/// Does it for each, several at a time: most tests wait for timers or servers, so there is one more than cores.
fn at_once<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get) + 1;
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((at, item)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    items.get(at).map(|item| (at, item))
                } {
                    let result = work(item);
                    let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    done.push((at, result));
                }
            });
        }
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
