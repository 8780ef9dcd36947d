//! What reads may not show.
//!
//! Never runs a map: each history is written by hand.

use super::*;

#[test]
fn a_torn_transaction_is_found() {
    planted(
        "visibility",
        sample(|read| {
            if let Read::View(_, shown) = read {
                shown.retain(|(key, _)| key != "twin-b");
            }
        }),
    );
}

#[test]
fn a_view_of_another_revision_than_it_names_is_found() {
    planted(
        "visibility",
        sample(|read| {
            if let Read::View(there, _) = read {
                *there = position(4);
            }
        }),
    );
}

#[test]
fn a_read_that_goes_back_is_found() {
    planted(
        "monotonic",
        sample(|read| match read {
            Read::View(there, shown) if *there == position(3) => {
                *there = position(1);
                shown.clear();
            }
            _ => {}
        }),
    );
}

#[test]
fn a_write_that_its_own_node_does_not_show_is_found() {
    planted(
        "own writes",
        sample(|read| {
            if let Read::Get(_, found) = read {
                *found = Some("never".into());
            }
            if let Read::View(there, _) = read {
                *there = position(1);
            }
        }),
    );
}

#[test]
fn a_position_waited_for_and_not_seen_is_found() {
    planted("causal", |event| match event {
        Event::Op(op) if matches!(op.action, Action::ViewAt(_, Asked::AtLeast(_))) => {
            op.outcome = Outcome::Done(Some(position(7)));
        }
        _ => {}
    });
}

#[test]
fn a_view_older_than_was_asked_for_is_found() {
    planted("causal", |event| match event {
        Event::Op(op) if matches!(op.action, Action::ViewAt(_, Asked::Within(_))) => {
            op.outcome = Outcome::Done(Some(position(4)));
        }
        _ => {}
    });
}

#[test]
fn a_linearizable_read_of_the_past_is_found() {
    planted("linearizable", |event| match event {
        Event::Op(op) if matches!(op.action, Action::Sync(_)) => {
            op.outcome = Outcome::Done(Some(position(7)));
        }
        _ => {}
    });
}

#[test]
fn a_linearizable_read_of_the_future_is_found() {
    planted("linearizable", |event| match event {
        Event::Op(op) if matches!(op.action, Action::Sync(_)) => {
            (op.call, op.ret) = (at(0), Some(at(1)));
        }
        _ => {}
    });
}

#[test]
fn a_write_ordered_before_one_that_had_ended_is_found() {
    planted(
        "linearizable",
        op("f", |op| (op.call, op.ret) = (at(400), Some(at(401)))),
    );
    planted(
        "linearizable",
        op("a", |op| (op.call, op.ret) = (at(400), Some(at(401)))),
    );
}

#[test]
fn an_age_that_is_under_reported_is_found() {
    planted("staleness", |event| {
        if let Event::Health(health) = event {
            health.position = position(3);
            health.is_live = false;
        }
    });
}

#[test]
fn a_node_that_calls_itself_live_while_it_is_cut_off_is_found() {
    planted("staleness", |event| match event {
        Event::Fault(fault) if fault.effect == Effect::Reconnects(0) => {
            fault.effect = Effect::Disturbs
        }
        Event::Fault(fault) if fault.effect == Effect::HealsAll => fault.effect = Effect::Disturbs,
        _ => {}
    });
}
