//! What writes may not do.

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
fn what_no_order_explains_is_found_without_revisions() {
    planted(
        "registers",
        op("e", |op| {
            op.action = Action::Update(key("k0"), Some("a".into()));
        }),
    );
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
        truth(8, |truth| {
            if truth.keyspace == "first" {
                truth.changes.push(("k1".into(), Some(stored("h", 8, 8))));
            }
        })(event);
    });
}
