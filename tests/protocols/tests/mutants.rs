//! Locks that are wrong in one point each: the search finds them, so it would find the like.
//!
//! Each is searched in a scope in which the right one holds.

use globe_protocols::lock::properties::{
    COMES_TO_REST, GRANTED_IN_ORDER, ONE_AT_A_TIME, ONE_WHEN_ALL_IS_SEEN, REQUIRED_IN_ITS_LIFE,
};
use globe_protocols::lock::scope::{Faults, Kind, Mutant, NONE, Scope};
use globe_protocols::search::{finds, holds};

/// The mutant breaks something in a scope where nothing is broken without it.
#[track_caller]
fn is_found(mutant: Mutant, scope: Scope, breaks: &'static str) {
    finds(scope, mutant, breaks);
    holds(scope, 1);
}

const CANCELS: Faults = Faults { cancels: 1, ..NONE };
const SUSPENDS: Faults = Faults {
    suspensions: 1,
    ..NONE
};
const RESTORES: Faults = Faults {
    restores: 1,
    ..NONE
};

#[test]
fn a_mutant_that_sweeps_nothing_is_found() {
    let scope = Scope::new(2, 2, CANCELS);
    is_found(Mutant::NoSweep, scope, COMES_TO_REST);
}

#[test]
fn a_mutant_that_sweeps_only_while_it_wants_something_is_found() {
    let scope = Scope::new(2, 2, CANCELS);
    is_found(Mutant::SweepsOnlyWhileWanting, scope, COMES_TO_REST);
}

#[test]
fn a_mutant_that_knows_claims_by_their_key_is_found() {
    let deleted = Faults {
        deletes: 1,
        repeats: 1,
        ..NONE
    };
    let scope = Scope::new(2, 1, deleted);
    is_found(Mutant::KnownByKey, scope, ONE_WHEN_ALL_IS_SEEN);
    is_found(
        Mutant::KnownByKey,
        Scope::new(2, 1, RESTORES),
        ONE_AT_A_TIME,
    );
}

#[test]
fn a_mutant_that_is_woken_by_claims_alone_is_found() {
    let scope = Scope::new(2, 1, SUSPENDS);
    is_found(Mutant::WokenByClaimsAlone, scope, COMES_TO_REST);
}

#[test]
fn a_mutant_that_uses_a_key_for_two_modes_is_found() {
    let scope = Scope {
        kind: Kind::Shared,
        ..Scope::new(2, 2, CANCELS)
    };
    is_found(Mutant::KeyUsedTwice, scope, ONE_AT_A_TIME);
}

#[test]
fn a_mutant_that_puts_claims_back_is_found() {
    let scope = Scope::new(2, 1, SUSPENDS);
    is_found(Mutant::PutBack, scope, ONE_AT_A_TIME);
}

#[test]
fn a_mutant_without_grace_is_found() {
    let scope = Scope::new(2, 1, RESTORES);
    is_found(Mutant::NoGrace, scope, ONE_AT_A_TIME);
}

#[test]
fn a_mutant_whose_margin_is_negative_is_found() {
    let scope = Scope::new(2, 1, SUSPENDS);
    is_found(Mutant::NegativeMargin, scope, ONE_AT_A_TIME);
    is_found(
        Mutant::NegativeMargin,
        Scope::new(2, 1, NONE),
        GRANTED_IN_ORDER,
    );
}

#[test]
fn a_mutant_that_counts_an_answer_from_its_arrival_is_found() {
    let faults = Faults {
        late_answers: 1,
        ..SUSPENDS
    };
    let scope = Scope::new(2, 1, faults);
    is_found(Mutant::AnswerCountsFromItsArrival, scope, ONE_AT_A_TIME);
}

#[test]
fn a_mutant_that_lets_go_before_it_stops_is_found() {
    let scope = Scope::new(2, 1, NONE);
    is_found(Mutant::ReleasedBeforeItStops, scope, ONE_AT_A_TIME);
}

#[test]
fn a_mutant_whose_transactions_land_in_any_life_is_found() {
    let faults = Faults {
        requires: 1,
        delays: 1,
        ..RESTORES
    };
    let scope = Scope::new(2, 1, faults);
    is_found(Mutant::RequiredInAnyLife, scope, REQUIRED_IN_ITS_LIFE);
}

#[test]
fn mutants_that_do_not_weigh_claims_are_found() {
    let scope = Scope {
        kind: Kind::Permits(3),
        ..Scope::new(3, 1, NONE)
    };
    is_found(Mutant::WeightsOfOne, scope, ONE_AT_A_TIME);
    is_found(Mutant::OwnWeightForgotten, scope, ONE_AT_A_TIME);
}

/// Who has seen nothing of the life before, neither by his session nor by his map, has no grace: nobody told him that somebody
/// may hold. Only the fences keep him apart from who held before.
#[test]
fn a_session_that_is_new_in_another_life_is_let_in_beside_who_held_before() {
    let scope = Scope {
        newcomers: true,
        ..Scope::new(2, 1, RESTORES)
    };
    finds(scope, None, ONE_AT_A_TIME);
}
