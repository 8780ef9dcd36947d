//! What watches may not say.
//!
//! Never runs a map: each history is written by hand.

use super::*;

#[test]
fn a_change_that_a_watch_lost_is_found() {
    planted(
        "delivery",
        delivered(|step| step.changes.retain(|moved| moved.key != "twin-b")),
    );
}

#[test]
fn a_change_that_a_watch_invented_is_found() {
    let moved = Moved {
        key: "k3".into(),
        old: None,
        new: Some(version("x", 5, 5)),
        revision: 5,
    };
    planted(
        "delivery",
        delivered(|step| {
            if step.to == position(5) {
                step.changes.push(moved.clone());
            }
        }),
    );
}

#[test]
fn a_delete_without_the_old_value_is_found() {
    planted(
        "delivery",
        delivered(|step| {
            if step.to == position(6) {
                step.changes[0].old = None;
            }
        }),
    );
}

#[test]
fn a_step_told_twice_is_found() {
    planted(
        "delivery",
        delivered(|step| {
            if step.to == position(5) {
                (step.from, step.to) = (position(3), position(4));
            }
        }),
    );
}

#[test]
fn a_revision_that_was_coalesced_though_each_was_wanted_is_found() {
    planted(
        "delivery",
        delivered(|step| {
            if step.to == position(7) {
                step.cause = Cause::Coalesced;
            }
        }),
    );
}

#[test]
fn a_watch_that_never_ended_is_found() {
    let mut history = good();
    let events = &mut history.events;
    events.retain(|event| !matches!(event, Event::Ended(_)));
    finds("delivery", &history);
}

#[test]
fn a_resync_claimed_without_one_is_found() {
    planted("resync", delivered(|step| step.cause = Cause::Resync));
}

#[test]
fn an_honest_log_that_is_accused_is_found() {
    planted("resync", |event| {
        if let Event::Health(health) = event {
            health.violations = 1;
        }
    });
}

#[test]
fn a_watch_that_is_held_up_is_found() {
    planted(
        "isolation",
        delivered(|step| {
            if step.to == position(3) {
                step.at.micros += 1_000_000;
            }
        }),
    );
}
