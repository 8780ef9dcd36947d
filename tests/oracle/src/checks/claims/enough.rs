//! Claims that were hardly played prove nothing.
//!
//! The bounds are the run's own.

use super::Book;
use crate::checks::timeline::Timeline;
use crate::history::{History, Standing, Verdict};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let limits = &book.run.limits;
    let claims = book.claims.values();
    let grants = claims.clone().filter(|story| story.granted.is_some());
    let looks = claims.clone().map(|story| story.held().count());
    let is_loss = |standing: &Standing| *standing != Standing::Live;
    let guards = claims.filter(|story| story.looks.iter().any(|look| is_loss(look.standing)));
    let sessions = book.sessions.values();
    let sessions = sessions.filter(|it| it.looks.iter().any(|look| is_loss(look.standing)));
    let landed = book
        .history
        .fenced()
        .filter(|fenced| !book.timeline.landed(&fenced.tag).is_empty());
    let admitted = book
        .history
        .admissions()
        .filter(|admission| admission.verdict == Verdict::Admitted);
    let counts = [
        ("guards", grants.count(), limits.min_grants),
        ("looks at held guards", looks.sum(), limits.min_looks),
        (
            "guards and sessions that were suspended or lost",
            guards.count() + sessions.count(),
            limits.min_losses,
        ),
        (
            "effects under guards",
            landed.count() + admitted.count(),
            limits.min_effects,
        ),
    ];
    let few = counts.into_iter().filter(|(_, count, least)| count < least);
    few.map(|(what, count, least)| format!("only {count} {what}: {least} were wanted"))
        .collect()
}
