//! The double barrier, in every order of its steps.
//!
//! Nothing is sampled. Each scope is as large as a search of a few seconds allows, and has to have as many states as it had
//! when it was chosen, about: a tenth less is a mistake of the model.

use globe_protocols::double::properties::{
    ALL_LEAVE, ALL_STAND, COMES_TO_REST, IN_ONCE, ONE_AFTER_ANOTHER, REJECTED_IS_NOT_IN,
};
use globe_protocols::double::scope::{Faults, Mutant, NONE, Scope};
use globe_protocols::search::{finds, holds};

#[test]
fn rounds_follow_one_another_and_all_of_each_are_in_and_leave_together() {
    holds(Scope::new(3, 2, NONE), 3_600);
}

#[test]
fn whoever_gives_up_is_in_no_list_or_is_in() {
    let faults = Faults { bounds: 2, ..NONE };
    holds(Scope::new(3, 2, faults), 70_000);
}

#[test]
fn an_answer_that_is_not_heard_leaves_no_doubt() {
    let faults = Faults {
        bounds: 1,
        lost_replies: 1,
        delays: 1,
        ..NONE
    };
    holds(Scope::new(3, 1, faults), 24_000);
}

#[test]
fn the_dead_have_left_and_what_was_dropped_is_in_nobodys_way() {
    let faults = Faults {
        deaths: 1,
        cancels: 1,
        ..NONE
    };
    holds(Scope::new(3, 1, faults), 1_800);
    let faults = Faults { deaths: 1, ..NONE };
    holds(Scope::new(3, 2, faults), 3_600);
}

#[test]
fn one_that_gives_up_beside_the_death_of_another_is_in_no_list_or_is_in() {
    let faults = Faults {
        bounds: 1,
        deaths: 1,
        delays: 1,
        ..NONE
    };
    holds(Scope::new(3, 1, faults), 29_000);
}

/// The mutant breaks something in a scope where nothing is broken without it.
#[track_caller]
fn is_found(mutant: Mutant, scope: Scope, breaks: &'static str) {
    finds(scope, mutant, breaks);
    holds(scope, 1);
}

#[test]
fn a_mutant_that_gives_up_without_a_guard_is_found() {
    let faults = Faults { bounds: 1, ..NONE };
    let scope = Scope::new(2, 1, faults);
    is_found(Mutant::GivesUpUnguarded, scope, REJECTED_IS_NOT_IN);
}

#[test]
fn a_mutant_that_takes_silence_for_a_no_is_found() {
    let faults = Faults {
        bounds: 1,
        lost_replies: 1,
        ..NONE
    };
    let scope = Scope::new(2, 1, faults);
    is_found(Mutant::GivesUpUnheard, scope, REJECTED_IS_NOT_IN);
}

#[test]
fn a_mutant_that_begins_without_a_look_at_who_stands_is_found() {
    let faults = Faults { bounds: 1, ..NONE };
    let scope = Scope::new(3, 1, faults);
    is_found(Mutant::BeginsUnguarded, scope, REJECTED_IS_NOT_IN);
    let faults = Faults { deaths: 1, ..NONE };
    let scope = Scope::new(3, 1, faults);
    is_found(Mutant::BeginsUnguarded, scope, ALL_STAND);
}

#[test]
fn a_mutant_that_takes_a_lost_claim_for_one_that_was_not_in_is_found() {
    let faults = Faults {
        bounds: 1,
        deaths: 1,
        ..NONE
    };
    let scope = Scope::new(2, 1, faults);
    is_found(Mutant::RejectsTheLost, scope, REJECTED_IS_NOT_IN);
}

#[test]
fn a_mutant_that_begins_while_others_are_in_is_found() {
    let scope = Scope::new(3, 2, NONE);
    is_found(Mutant::BeginsOverAnother, scope, IN_ONCE);
    is_found(Mutant::BeginsOverAnother, scope, ONE_AFTER_ANOTHER);
}

#[test]
fn a_mutant_that_ends_with_the_first_who_leaves_is_found() {
    let scope = Scope::new(2, 1, NONE);
    is_found(Mutant::EndsWithTheFirst, scope, ALL_LEAVE);
}

#[test]
fn a_mutant_that_never_ends_is_found() {
    let scope = Scope::new(2, 1, NONE);
    is_found(Mutant::NeverEnds, scope, COMES_TO_REST);
}

#[test]
fn a_mutant_that_ends_whichever_round_there_is_is_found() {
    let scope = Scope::new(3, 2, Faults { delays: 1, ..NONE });
    is_found(Mutant::EndsWhichever, scope, ALL_LEAVE);
}
