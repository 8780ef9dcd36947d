//! A run that did too little proves nothing.
//!
//! The bounds are the run's own.

use super::timeline::Timeline;
use crate::history::{Effect, History, Outcome};

pub(crate) fn check(history: &History, _: &Timeline) -> Vec<String> {
    let limits = history.run().limits;
    let writes = history.ops().filter(|op| {
        !op.tags.is_empty() && matches!(op.outcome, Outcome::Done(_) | Outcome::Behind(_))
    });
    let faults = history
        .faults()
        .filter(|fault| !matches!(fault.effect, Effect::HealsAll | Effect::Reconnects(_)));
    let counts = [
        ("acknowledged writes", writes.count(), limits.min_writes),
        ("samples", history.samples().count(), limits.min_samples),
        (
            "deliveries",
            history.deliveries().count(),
            limits.min_deliveries,
        ),
        ("faults", faults.count(), limits.min_faults),
    ];
    let few = counts.into_iter().filter(|(_, count, least)| count < least);
    few.map(|(what, count, least)| format!("only {count} {what}: {least} were wanted"))
        .collect()
}
