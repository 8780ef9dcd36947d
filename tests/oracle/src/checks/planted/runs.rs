//! What a run may not end like.
//!
//! Never runs a map: each history is written by hand.

use super::*;

#[test]
fn a_history_in_which_all_is_well_passes() {
    assert_eq!(check_all(&good()), []);
}

#[test]
fn a_node_that_never_comes_back_is_found() {
    planted("liveness", |event| {
        if let Event::Health(health) = event {
            health.is_live = false;
        }
    });
}

#[test]
fn what_grows_is_found() {
    planted("leaks", |event| match event {
        Event::Gauge(gauge) if gauge.value == 6 => gauge.value = 8,
        _ => {}
    });
}

#[test]
fn a_node_that_ends_elsewhere_than_the_log_is_found() {
    planted(
        "convergence",
        sample(|read| {
            if let Read::Final(_, shown) = read {
                shown.pop();
            }
        }),
    );
}

#[test]
fn members_that_disagree_are_found() {
    let mut history = good();
    for event in good().events {
        match event {
            Event::Base(mut base) => {
                base.member = "other".into();
                history.events.push(Event::Base(base));
            }
            Event::Truth(mut truth) if truth.position != position(5) => {
                truth.member = "other".into();
                history.events.push(Event::Truth(truth));
            }
            _ => {}
        }
    }
    finds("truth", &history);
}

#[test]
fn an_invariant_that_the_log_broke_is_found() {
    planted("truth", truth(3, |truth| truth.changes.truncate(1)));
}

#[test]
fn a_run_that_did_too_little_is_found() {
    planted("enough", |event| {
        if let Event::Run(run) = event {
            run.limits.min_writes = 1_000;
        }
    });
}
