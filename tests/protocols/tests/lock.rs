//! The lock, in every order of its steps.
//!
//! Nothing is sampled. Each scope is as large as a search of a few seconds allows, and has to have as many states as it had
//! when it was chosen, about: a tenth less is a mistake of the model.

use globe_protocols::lock::scope::{Faults, Kind, NONE, Scope};
use globe_protocols::search::holds;

#[test]
fn claims_are_granted_in_order_and_nothing_is_left() {
    holds(Scope::new(3, 2, NONE), 10_000);
}

#[test]
fn after_an_outage_one_holds_whoever_was_cut_off() {
    let faults = Faults {
        suspensions: 1,
        ..NONE
    };
    holds(Scope::new(3, 2, faults), 270_000);
}

#[test]
fn two_outages_and_a_dropped_request_leave_nothing_behind() {
    let faults = Faults {
        suspensions: 2,
        cancels: 1,
        ..NONE
    };
    holds(Scope::new(2, 2, faults), 200_000);
}

#[test]
fn what_is_dropped_lost_late_or_comes_twice_is_swept() {
    let faults = Faults {
        cancels: 1,
        losses: 1,
        repeats: 1,
        delays: 1,
        ..NONE
    };
    holds(Scope::new(2, 2, faults), 230_000);
}

#[test]
fn a_late_copy_lands_beside_an_outage_and_is_swept() {
    let faults = Faults {
        suspensions: 1,
        cancels: 1,
        repeats: 1,
        ..NONE
    };
    holds(Scope::new(3, 1, faults), 125_000);
}

#[test]
fn an_answer_proves_only_from_when_it_was_asked_for() {
    let faults = Faults {
        suspensions: 1,
        cancels: 1,
        late_answers: 1,
        ..NONE
    };
    holds(Scope::new(2, 2, faults), 86_000);
}

#[test]
fn after_a_restore_nobody_is_let_in_beside_who_held_before() {
    let faults = Faults {
        restores: 1,
        ..NONE
    };
    holds(Scope::new(3, 1, faults), 120_000);
    holds(Scope::new(2, 2, faults), 73_000);
}

#[test]
fn a_restore_in_an_outage_lets_nobody_in_beside_who_held_before() {
    let faults = Faults {
        suspensions: 1,
        late_answers: 1,
        restores: 1,
        ..NONE
    };
    holds(Scope::new(2, 1, faults), 72_000);
}

#[test]
fn a_second_restore_is_as_the_first() {
    let faults = Faults {
        restores: 2,
        ..NONE
    };
    holds(Scope::new(2, 1, faults), 70_000);
}

#[test]
fn a_gate_admits_who_holds_and_nobody_who_held_before() {
    let faults = Faults {
        hidden: 1,
        writes: 2,
        ..NONE
    };
    holds(Scope::new(3, 1, faults), 45_000);
    let restored = Faults {
        restores: 1,
        writes: 2,
        ..NONE
    };
    holds(Scope::new(2, 1, restored), 55_000);
}

#[test]
fn what_requires_a_claim_lands_only_while_that_stands() {
    let faults = Faults {
        hidden: 1,
        cancels: 1,
        requires: 2,
        ..NONE
    };
    holds(Scope::new(2, 2, faults), 218_000);
    let restored = Faults {
        restores: 1,
        delays: 1,
        requires: 1,
        ..NONE
    };
    holds(Scope::new(2, 1, restored), 11_600);
}

#[test]
fn an_operator_who_deletes_a_claim_lets_the_next_in() {
    let faults = Faults {
        deletes: 1,
        repeats: 1,
        writes: 1,
        ..NONE
    };
    holds(Scope::new(2, 2, faults), 290_000);
}

#[test]
fn readers_share_and_writers_do_not() {
    let shared = |clients, claims, faults| Scope {
        kind: Kind::Shared,
        ..Scope::new(clients, claims, faults)
    };
    let faults = Faults {
        suspensions: 1,
        cancels: 1,
        ..NONE
    };
    holds(shared(3, 1, faults), 74_000);
    let faults = Faults { cancels: 1, ..NONE };
    holds(shared(2, 2, faults), 34_000);
}

/// Of three permits some take two, the others one.
#[test]
fn permits_are_never_exceeded_and_whoever_waits_is_let_in() {
    let permits = |clients, claims, faults| Scope {
        kind: Kind::Permits(3),
        ..Scope::new(clients, claims, faults)
    };
    let faults = Faults {
        suspensions: 1,
        cancels: 1,
        ..NONE
    };
    holds(permits(3, 1, faults), 76_000);
    let faults = Faults {
        restores: 1,
        ..NONE
    };
    holds(permits(2, 1, faults), 13_500);
}
