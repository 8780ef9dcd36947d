//! What writes may not do.
//!
//! Never runs a map: each history is written by hand.

use super::*;

#[test]
fn a_guard_that_did_not_hold_is_found() {
    planted(
        "compare-and-swap",
        op("f", |op| op.action = Action::PutIf(key("k0"), 6)),
    );
    planted(
        "compare-and-swap",
        op("d", |op| {
            op.action = transact(vec![(key("list-0-0"), None)], vec![key("list-0-0")])
        }),
    );
}

#[test]
fn a_conflict_that_was_none_is_found() {
    planted(
        "compare-and-swap",
        op("g", |op| op.action = Action::PutIf(key("k0"), 8)),
    );
}

#[test]
fn a_conflict_over_what_never_stood_there_is_found() {
    planted(
        "compare-and-swap",
        op("g", |op| {
            let elsewhere = Stood {
                created: 7,
                modified: 7,
            };
            op.outcome = Outcome::Conflict(position(8), vec![(key("k0"), Some(elsewhere))]);
        }),
    );
}

#[test]
fn what_no_order_explains_is_found_without_revisions() {
    planted(
        "registers",
        op("e", |op| {
            op.action = Action::Update(key("k0"), Some("a".into()));
        }),
    );
}

#[test]
fn a_delete_that_lost_its_race_did_not_find_nothing() {
    let mut history = good();
    let lost = op("g", |op| {
        op.action = Action::Delete(key("k0"));
        op.tags.clear();
    });
    history.events.iter_mut().for_each(lost);
    assert_ne!(history, good());
    assert_eq!(check_all(&history), []);
}

#[test]
fn a_cycle_of_transactions_is_found_without_revisions() {
    // The later one read the list without the element of the earlier, which had ended.
    planted(
        "serializable",
        op("d", |op| (op.call, op.ret) = (at(1), Some(at(2)))),
    );
}

#[test]
fn a_list_that_never_was_is_found() {
    planted(
        "serializable",
        op("d", |op| {
            op.action = transact(
                vec![(key("list-0-0"), Some(list(&["z"])))],
                vec![key("list-0-0")],
            );
        }),
    );
}

#[test]
fn an_acknowledged_write_that_is_missing_is_found() {
    planted("exactly once", op("a", |op| op.tags = vec!["lost".into()]));
    planted("exactly once", op("b", |op| op.tags = vec!["lost".into()]));
}

#[test]
fn a_write_that_landed_twice_is_found() {
    planted(
        "exactly once",
        truth(7, |truth| {
            truth.changes.push(("k0".into(), Some(stored("a", 7, 7))));
        }),
    );
}

#[test]
fn a_refused_write_that_landed_is_found() {
    planted(
        "exactly once",
        op("a", |op| {
            op.outcome = Outcome::Refused("log unavailable".into())
        }),
    );
    planted("exactly once", op("a", |op| op.tags.push("second".into())));
}

/// What landed was refused at this tick, and the log went into another life at 500, without it.
fn refused_at(tick: u64) -> Option<String> {
    let mut history = good();
    let refuse = op("a", |op| {
        op.outcome = Outcome::Refused("not held".into());
        op.ret = Some(at(tick));
    });
    history.events.iter_mut().for_each(refuse);
    history.events.push(Event::Base(Base {
        member: "log".into(),
        keyspace: "first".into(),
        position: Position::new(Epoch::new(2), Revision(1)),
        records: Vec::new(),
        at: at(500),
    }));
    let found = check_all(&history).into_iter();
    let mut found = found.filter(|found| found.check == "exactly once");
    found.next().map(|found| found.what)
}

#[test]
fn what_landed_in_a_life_that_was_lost_may_be_refused_in_the_next() {
    assert_eq!(refused_at(501), None);
    assert!(refused_at(499).is_some_and(|what| what.contains("was not to be")));
}

#[test]
fn half_a_transaction_is_found() {
    planted("exactly once", |event| {
        op("b", |op| op.outcome = Outcome::Indeterminate)(event);
        truth(3, |truth| truth.changes.truncate(1))(event);
    });
}

#[test]
fn a_delete_that_nobody_made_is_found() {
    planted(
        "exactly once",
        truth(7, |truth| truth.changes = vec![("twin-a".into(), None)]),
    );
}

#[test]
fn a_write_that_lands_after_it_was_reported_as_unknown_is_found() {
    planted("ghosts", |event| {
        op("h", |op| (op.call, op.ret) = (at(1), Some(at(2))))(event);
        lands_late(event);
    });
}

#[test]
fn a_write_that_lands_after_its_caller_gave_it_up_and_went_on_is_found() {
    planted("ghosts", |event| {
        op("h", |op| {
            (op.call, op.ret) = (at(1), None);
            (op.given_up, op.outcome) = (Some(at(2)), Outcome::Never);
        })(event);
        lands_late(event);
    });
}

fn lands_late(event: &mut Event) {
    truth(8, |truth| {
        if truth.keyspace == "first" {
            truth.changes.push(("k1".into(), Some(stored("h", 8, 8))));
        }
    })(event);
}

#[test]
fn a_delete_that_cannot_say_what_it_found_is_not_accused() {
    let mut history = good();
    for event in &mut history.events {
        if let Event::Op(op) = event
            && op.action == Action::Delete(key("k0"))
        {
            (op.ret, op.outcome) = (None, Outcome::Never);
        }
    }
    history.events.push(Event::Op(Op {
        client: 0,
        node: 0,
        action: Action::Delete(key("k2")),
        tags: Vec::new(),
        call: at(1_000),
        ret: Some(at(1_001)),
        given_up: None,
        outcome: Outcome::Behind(position(8)),
    }));
    let found = check_all(&history);
    assert!(found.is_empty(), "{found:?}");
}
