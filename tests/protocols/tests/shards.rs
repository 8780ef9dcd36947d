//! The hand-over of a shard, in every order of its steps, in both modes; and hand-overs that are wrong in one point each, which
//! the search finds.
//!
//! Nothing is sampled. Each scope is as large as a search of a few seconds allows, and has to have as many states as it had
//! when it was chosen, about: a tenth less is a mistake of the model. `GLOBE_SCOPES=large` searches larger ones, for minutes.

use globe_protocols::search::{finds, holds};
use globe_protocols::shards::properties::{
    COMES_TO_REST, ONE_SERVES, OWNED_IN_A_MOVE, SERVED_IN_A_MOVE, STALE_PLANNERS_CHANGE_NOTHING,
    TERM_NEVER_FALLS,
};
use globe_protocols::shards::scope::{Faults, Mode, Mutant, NONE, Scope};

const STRICT: Mode = Mode::Strict;
const AVAILABLE: Mode = Mode::Available;
const MOVES: Faults = Faults { moves: 1, ..NONE };

/// Both modes, of so many states each.
fn both_hold(workers: u8, faults: Faults, at_least: [usize; 2]) {
    for (mode, at_least) in [STRICT, AVAILABLE].into_iter().zip(at_least) {
        holds(Scope::new(mode, workers, 2, faults), at_least);
    }
}

#[test]
fn a_planned_move_shows_an_owner_throughout_and_comes_to_rest() {
    both_hold(3, Faults { moves: 2, ..NONE }, [2_000, 2_000]);
}

#[test]
fn every_death_in_every_phase_heals() {
    let faults = Faults {
        crashes: 1,
        delays: 1,
        ..MOVES
    };
    both_hold(3, faults, [88_000, 82_000]);
    let faults = Faults {
        crashes: 2,
        ..MOVES
    };
    both_hold(3, faults, [160_000, 140_000]);
}

#[test]
fn a_pause_costs_nothing_or_the_session() {
    let faults = Faults {
        suspensions: 1,
        delays: 1,
        ..MOVES
    };
    both_hold(3, faults, [180_000, 160_000]);
    let faults = Faults {
        suspensions: 2,
        delays: 1,
        ..MOVES
    };
    both_hold(2, faults, [100_000, 100_000]);
}

#[test]
fn whoever_leaves_hands_over_first() {
    let faults = Faults {
        drains: 1,
        suspensions: 1,
        delays: 1,
        ..NONE
    };
    both_hold(3, faults, [100_000, 120_000]);
    let faults = Faults {
        drains: 2,
        delays: 1,
        ..NONE
    };
    both_hold(3, faults, [33_000, 37_000]);
}

#[test]
fn what_is_refused_dropped_or_too_slow_comes_to_rest() {
    let faults = Faults {
        timeouts: 1,
        refusals: 1,
        dropped_drains: 1,
        delays: 1,
        ..MOVES
    };
    both_hold(3, faults, [21_000, 22_000]);
    let faults = Faults {
        timeouts: 1,
        refusals: 1,
        dropped_drains: 1,
        suspensions: 1,
        ..MOVES
    };
    both_hold(3, faults, [78_000, 65_000]);
}

#[test]
fn what_comes_late_or_twice_changes_nothing() {
    let faults = Faults {
        delays: 2,
        repeats: 1,
        crashes: 1,
        ..MOVES
    };
    both_hold(2, faults, [23_000, 25_000]);
}

#[test]
fn after_a_restore_nobody_serves_beside_who_served_before() {
    let faults = Faults {
        restores: 1,
        ..MOVES
    };
    both_hold(2, faults, [16_000, 18_000]);
    let faults = Faults {
        restores: 1,
        delays: 1,
        ..MOVES
    };
    both_hold(2, faults, [86_000, 97_000]);
}

/// Minutes, and only where it is asked for.
#[test]
fn larger_scopes_hold_as_well() {
    if std::env::var("GLOBE_SCOPES").is_ok_and(|scopes| scopes == "large") {
        let faults = Faults {
            restores: 1,
            ..MOVES
        };
        holds(Scope::new(STRICT, 3, 2, faults), 2_200_000);
        let faults = Faults {
            restores: 1,
            suspensions: 1,
            ..MOVES
        };
        both_hold(2, faults, [495_000, 550_000]);
        let faults = Faults {
            drains: 2,
            crashes: 1,
            ..NONE
        };
        both_hold(3, faults, [500_000, 650_000]);
    }
}

/// The mutant breaks something in a scope where nothing is broken without it.
#[track_caller]
fn is_found(mutant: Mutant, scope: Scope, breaks: &'static str) {
    finds(scope, mutant, breaks);
    holds(scope, 1);
}

#[test]
fn a_mutant_that_owns_again_what_it_drains_is_found() {
    let faults = Faults { delays: 1, ..MOVES };
    let scope = Scope::new(STRICT, 2, 1, faults);
    is_found(Mutant::OwnedAgainInDrain, scope, ONE_SERVES);
}

#[test]
fn a_mutant_that_loses_a_drain_is_found() {
    let faults = Faults {
        dropped_drains: 1,
        ..MOVES
    };
    for mode in [STRICT, AVAILABLE] {
        let scope = Scope::new(mode, 2, 1, faults);
        is_found(Mutant::LostDrain, scope, COMES_TO_REST);
    }
}

#[test]
fn a_mutant_that_says_it_is_done_before_it_stops_is_found() {
    let scope = Scope::new(STRICT, 2, 1, MOVES);
    is_found(Mutant::DoneBeforeItStops, scope, ONE_SERVES);
}

#[test]
fn mutants_that_do_not_guard_the_row_are_found() {
    let faults = Faults {
        delays: 1,
        suspensions: 1,
        ..MOVES
    };
    let scope = Scope::new(STRICT, 2, 2, faults);
    is_found(Mutant::RowUnguarded, scope, STALE_PLANNERS_CHANGE_NOTHING);
    is_found(Mutant::RowUnguarded, scope, TERM_NEVER_FALLS);
    let faults = Faults { delays: 1, ..MOVES };
    let scope = Scope::new(STRICT, 2, 1, Faults { moves: 2, ..faults });
    is_found(Mutant::MembersUnguarded, scope, TERM_NEVER_FALLS);
}

#[test]
fn a_mutant_whose_planners_go_on_when_another_plans_is_found() {
    let faults = Faults {
        delays: 1,
        suspensions: 1,
        ..MOVES
    };
    let scope = Scope::new(STRICT, 2, 2, faults);
    is_found(
        Mutant::PlannerUnguarded,
        scope,
        STALE_PLANNERS_CHANGE_NOTHING,
    );
}

#[test]
fn a_mutant_that_gives_the_row_to_one_that_leaves_is_found() {
    for mode in [STRICT, AVAILABLE] {
        let scope = Scope::new(mode, 3, 2, Faults { drains: 1, ..NONE });
        is_found(Mutant::TargetByCreationAlone, scope, OWNED_IN_A_MOVE);
    }
}

#[test]
fn a_mutant_without_grace_is_found() {
    let faults = Faults {
        restores: 1,
        ..NONE
    };
    let scope = Scope::new(STRICT, 2, 2, faults);
    is_found(Mutant::NoGrace, scope, ONE_SERVES);
}

#[test]
fn a_mutant_whose_commits_land_in_any_life_is_found() {
    let faults = Faults {
        restores: 1,
        delays: 1,
        ..MOVES
    };
    let scope = Scope::new(STRICT, 2, 2, faults);
    is_found(Mutant::AnyLife, scope, TERM_NEVER_FALLS);
}

#[test]
fn a_mutant_that_knows_members_by_their_id_is_found() {
    let faults = Faults {
        suspensions: 1,
        ..NONE
    };
    let scope = Scope::new(STRICT, 2, 2, faults);
    is_found(Mutant::KnownById, scope, ONE_SERVES);
}

#[test]
fn mutants_that_do_not_trust_clocks_are_found() {
    let faults = Faults {
        suspensions: 1,
        ..NONE
    };
    let scope = Scope::new(STRICT, 2, 2, faults);
    is_found(Mutant::BlindToTheClock, scope, ONE_SERVES);
    is_found(Mutant::NegativeMargin, scope, ONE_SERVES);
}

#[test]
fn a_mutant_that_cancels_a_drain_is_found() {
    let faults = Faults {
        timeouts: 1,
        ..MOVES
    };
    let scope = Scope::new(STRICT, 2, 1, faults);
    is_found(Mutant::DrainCancelled, scope, STALE_PLANNERS_CHANGE_NOTHING);
}

#[test]
fn a_mutant_that_leaves_alone_what_the_dead_owned_is_found() {
    let faults = Faults { crashes: 1, ..NONE };
    for mode in [STRICT, AVAILABLE] {
        let scope = Scope::new(mode, 2, 2, faults);
        is_found(Mutant::DeadLeftAlone, scope, COMES_TO_REST);
    }
}

#[test]
fn a_mutant_that_leaves_at_once_is_found() {
    for mode in [STRICT, AVAILABLE] {
        let scope = Scope::new(mode, 2, 2, Faults { drains: 1, ..NONE });
        is_found(Mutant::LeavesAtOnce, scope, OWNED_IN_A_MOVE);
    }
}

/// Who has seen nothing of the life before has no grace: nobody told him that somebody may serve. Only the fences keep him apart
/// from who served before.
#[test]
fn a_member_that_is_new_in_another_life_serves_beside_who_served_before() {
    let faults = Faults {
        restores: 1,
        crashes: 1,
        ..NONE
    };
    let scope = Scope {
        newcomers: true,
        ..Scope::new(STRICT, 2, 2, faults)
    };
    finds(scope, None, ONE_SERVES);
}

/// In available mode the former owner may see that it is to stop, and stop, before the new one sees that it may begin.
#[test]
fn in_available_mode_nobody_may_serve_for_as_long_as_a_delivery_takes() {
    let scope = Scope {
        counts_gaps: true,
        ..Scope::new(AVAILABLE, 2, 1, MOVES)
    };
    finds(scope, None, SERVED_IN_A_MOVE);
}
