//! How long it takes to have a keyspace at hand, beside reading it and beside what others keep of it.
//!
//! What is kept is let go outside of what is measured.

use globe_bench::{
    Contest, Done, Target, Turns, Unit, nanoseconds, print_head, report, report_contest,
    report_contest_for,
};
use tokio::time::{Duration, Instant};

use crate::pages::Ends;
use crate::subject::{Source, Subject};

const SUBJECTS: [Subject; 5] = [
    Subject::Globe,
    Subject::Ranges(Ends::Counted),
    Subject::Ranges(Ends::Known),
    Subject::HashMap,
    Subject::Store,
];

/// Measures all so often, and says what they took.
pub(crate) async fn compare(source: &Source, rounds: usize) -> Done<Contest> {
    let mut contest = Contest::of(Unit::Time, SUBJECTS.map(Subject::name));
    for round in 0..rounds {
        let mut took = vec![f64::NAN; SUBJECTS.len()];
        for turn in Contest::turns(round, SUBJECTS.len()) {
            let begun = Instant::now();
            let kept = source.take::<String>(SUBJECTS[turn]).await?;
            took[turn] = nanoseconds(begun.elapsed());
            source.leave(kept).await?;
        }
        contest.count(took);
    }
    Ok(contest)
}

/// The rows: of all sizes that were measured, each with how many entries it is of.
pub(crate) fn report_all(all: &[(usize, Contest)]) {
    print_head(&SUBJECTS.map(|subject| subject.name().to_owned()));
    for (entries, contest) in all {
        report_contest("hydration", &figure(*entries), contest);
    }
    for (peer, target) in [(1, Target::Times(1.2)), (2, Target::None)] {
        for (entries, contest) in all {
            let contest = contest.beside(peer);
            report_contest_for("hydration", &figure(*entries), &contest, target);
        }
    }
    if let [few, many] = all {
        let mut linear = Turns::default();
        let each = |(entries, contest): &(usize, Contest)| {
            Duration::from_nanos((contest.spread(0).median / *entries as f64) as u64)
        };
        linear.push(each(many), each(few));
        let figure = "an entry of 1 M hydrated, beside one of 100,000";
        report(figure, &linear, Target::Times(1.3));
    }
}

fn figure(entries: usize) -> String {
    format!("{entries} × 100 B")
}
