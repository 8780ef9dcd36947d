//! What sessions and claims may not do.
//!
//! Never runs a map: each history is written by hand.

use super::claiming::{claiming, step, token};
use super::scribe::Scribe;
use super::*;

/// Plants something in the good history of claims, and demands that one checker finds it.
fn lie(check: &str, plant: impl Fn(&mut Event)) {
    let mut history = claiming();
    history.events.iter_mut().for_each(plant);
    is_found(check, &history);
}

/// Adds something to the good history of claims, and demands that one checker finds it.
fn added(check: &str, event: Event) {
    let mut history = claiming();
    history.events.push(event);
    is_found(check, &history);
}

fn is_found(check: &str, history: &History) {
    assert_ne!(*history, claiming(), "nothing was planted");
    finds(check, history);
}

fn of_claim(claim: u32, plant: impl Fn(&mut ClaimStep)) -> impl Fn(&mut Event) {
    move |event| match event {
        Event::ClaimStep(step) if step.claim == claim => plant(step),
        _ => {}
    }
}

fn granted(claim: u32, plant: impl Fn(&mut ClaimStep)) -> impl Fn(&mut Event) {
    of_claim(claim, move |step| {
        if matches!(step.did, ClaimDid::Granted(_)) {
            plant(step);
        }
    })
}

/// The first and the last moment at which a guard was seen held.
fn span(claim: u32) -> (At, At) {
    let history = claiming();
    let held = history
        .claim_steps()
        .filter(|step| step.claim == claim && step.did == ClaimDid::Seen(Standing::Live));
    let held: Vec<_> = held.collect();
    (held[0].ret, held[held.len() - 1].call)
}

/// One claim is seen held right after another one was first.
fn held_during(claim: u32, other: u32) -> Event {
    let (from, to) = span(other);
    let (call, ret) = (at(from.tick + 1), at(from.tick + 2));
    assert!(ret < to, "the other is held for longer");
    step(claim, ClaimDid::Seen(Standing::Live), call, ret)
}

fn last() -> u64 {
    let history = claiming();
    let ticks = history.truths().map(|truth| truth.at.tick);
    ticks.max().unwrap()
}

fn held_at(claim: u32, tick: u64) -> Event {
    let seen = ClaimDid::Seen(Standing::Live);
    step(claim, seen, at(tick), at(tick + 1))
}

#[test]
fn claims_in_which_all_is_well_pass() {
    assert_eq!(check_all(&claiming()), []);
}

#[test]
fn two_holders_of_a_lock_are_found() {
    added("two holders", held_during(1, 0));
}

#[test]
fn a_writer_beside_a_reader_is_found() {
    lie("two holders", |event| match event {
        Event::ClaimAsked(asked) if asked.claim == 3 => asked.share = Share::Alone,
        _ => {}
    });
}

#[test]
fn more_permits_than_there_are_are_found() {
    lie("two holders", |event| match event {
        Event::ClaimAsked(asked) if asked.claim == 5 => asked.share = Share::Permits(2, 3),
        _ => {}
    });
}

/// Each of two looks that overlap may have been true when the other was not.
#[test]
fn looks_that_overlap_prove_nothing() {
    let mut history = claiming();
    let (_, to) = span(0);
    let seen = ClaimDid::Seen(Standing::Live);
    let call = at(to.tick);
    let early = step(1, seen, call, at(to.tick + 1));
    history.events.push(early);
    let found = check_all(&history);
    let two = found.iter().filter(|it| it.check == "two holders");
    assert_eq!(two.count(), 0, "{found:?}");
}

#[test]
fn a_token_that_was_given_twice_is_found() {
    lie(
        "tokens",
        granted(1, |step| step.did = ClaimDid::Granted(token(3))),
    );
}

#[test]
fn a_token_that_is_no_claim_of_its_own_is_found() {
    for stranger in [4, 3, 9] {
        lie(
            "tokens",
            granted(6, |step| step.did = ClaimDid::Granted(token(stranger))),
        );
    }
}

#[test]
fn a_holder_that_is_followed_by_a_smaller_token_is_found() {
    let (from, _) = span(1);
    added("tokens", held_at(0, from.tick + 1));
}

#[test]
fn a_write_that_lands_after_its_claim_is_found() {
    lie("fences", |event| match event {
        Event::Truth(truth) if truth.position == position(7) => {
            for (_, stored) in &mut truth.changes {
                stored.as_mut().unwrap().value.tag = "w0".into();
            }
        }
        _ => {}
    });
}

#[test]
fn writes_that_land_in_another_order_than_their_tokens_are_found() {
    lie("fences", |event| {
        if let Event::Fenced(fenced) = event {
            fenced.claim = 1 - fenced.claim;
        }
    });
}

#[test]
fn a_gate_that_lets_a_former_holder_in_is_found() {
    let mut scribe = Scribe::default();
    scribe.admitted(0, 3);
    added("gates", scribe.events.remove(0));
}

#[test]
fn a_holder_that_does_not_learn_that_its_claim_is_gone_is_found() {
    let gone = claiming()
        .truths()
        .find(|it| it.position == position(6))
        .unwrap()
        .at;
    added("told late", held_at(0, gone.tick + 2));
}

/// What a third party has ended, its owner learns only from the log.
#[test]
fn a_holder_that_was_meddled_with_may_learn_it_late() {
    let gone = claiming()
        .truths()
        .find(|it| it.position == position(6))
        .unwrap()
        .at;
    let place = |key: &str| Place {
        keyspace: "claims".into(),
        key: key.into(),
    };
    let whose = [
        Meddling::Record(place("lock/a/0-0")),
        Meddling::Session("s0".into()),
    ];
    for whose in whose {
        let mut history = claiming();
        history.events.push(held_at(0, gone.tick + 2));
        history.events.push(Event::Meddled(Meddled {
            whose,
            call: at(gone.tick - 1),
            ret: Some(gone),
        }));
        assert_eq!(check_all(&history), []);
    }
}

/// A process may ask once more for what it has: it is granted by the record of before, which a third party has ended.
#[test]
fn who_is_granted_by_a_record_that_was_meddled_with_may_learn_it_late() {
    let gone = claiming()
        .truths()
        .find(|it| it.position == position(6))
        .unwrap()
        .at;
    let mut history = claiming();
    let (asked, granted) = (at(gone.tick + 1), at(gone.tick + 2));
    history.events.extend([
        Event::Meddled(Meddled {
            whose: Meddling::Session("s0".into()),
            call: at(gone.tick - 1),
            ret: Some(gone),
        }),
        Event::ClaimAsked(ClaimAsked {
            claim: 7,
            session: 0,
            node: 0,
            root: "lock/a".into(),
            share: Share::Alone,
            is_patient: false,
            at: asked,
        }),
        step(7, ClaimDid::Granted(token(3)), asked, granted),
        held_at(7, gone.tick + 2),
    ]);
    // That a token is given twice is another matter.
    assert!(!check_all(&history).iter().any(|it| it.check == "told late"));
}

#[test]
fn a_holder_that_trusts_a_lease_of_a_former_life_is_found() {
    let mut history = claiming();
    let (from, _) = span(6);
    let began = at(from.tick + 1);
    history.events.push(Event::Base(Base {
        member: "log".into(),
        keyspace: "claims".into(),
        position: Position::new(Epoch::new(2), Revision(4)),
        records: Vec::new(),
        at: began,
    }));
    assert!(!check_all(&history).iter().any(|it| it.check == "told late"));
    history.events.push(held_at(6, began.tick + 12));
    finds("told late", &history);
}

#[test]
fn a_guard_that_is_held_again_though_its_claim_was_gone_is_found() {
    lie("resumed", truth(6, |truth| truth.at = at(1)));
}

#[test]
fn a_guard_that_is_held_again_though_another_was_had_is_found() {
    let (from, _) = span(0);
    lie("resumed", granted(1, |step| step.ret = at(from.tick + 1)));
}

#[test]
fn a_guard_that_is_held_again_after_it_was_lost_is_found() {
    let (from, _) = span(0);
    let lost = ClaimDid::Seen(Standing::Lost("it was closed".into()));
    let (call, ret) = (at(from.tick + 1), at(from.tick + 2));
    added("resumed", step(0, lost, call, ret));
}

#[test]
fn an_entry_that_outlives_its_session_is_found() {
    let late = last() + 100;
    lie(
        "outlived",
        truth(20, |truth| {
            if truth.keyspace == "present" {
                truth.at = at(late);
            }
        }),
    );
}

#[test]
fn an_entry_that_is_never_gone_is_found() {
    let mut history = claiming();
    history.events.retain(|event| {
        let is_gone = |truth: &Truth| truth.position == position(20) && !truth.changes.is_empty();
        !matches!(event, Event::Truth(truth) if is_gone(truth))
    });
    for _ in 0..3 {
        let late = last() + 100;
        history.events.push(Event::Fault(Fault {
            what: "nothing".into(),
            effect: Effect::Disturbs,
            at: at(late),
        }));
    }
    is_found("outlived", &history);
}

/// The log goes into another life just before a session is closed, and brings an entry of it back for so long.
fn brought_back_for(ticks: u64) -> History {
    let mut history = claiming();
    let is_closed = |event: &Event| matches!(event, Event::SessionStep(step) if step.did == SessionDid::Closed(true));
    let closed = history.events.iter().position(is_closed).unwrap();
    let Event::SessionStep(step) = &history.events[closed] else {
        unreachable!()
    };
    let began = step.call.tick;
    let other = |revision| Position::new(Epoch::new(2), Revision(revision));
    let restored = Event::Base(Base {
        member: "log".into(),
        keyspace: "present".into(),
        position: other(5),
        records: vec![("s0-0".into(), stored("s0-0", 2, 2))],
        at: at(began),
    });
    history.events.truncate(closed + 1);
    history.events.insert(closed, restored);
    history.events.push(Event::Truth(Truth {
        member: "log".into(),
        keyspace: "present".into(),
        position: other(6),
        changes: vec![("s0-0".into(), None)],
        at: at(began + ticks),
    }));
    history
}

#[test]
fn what_a_restore_brought_back_may_stand_for_one_time_of_its_lease() {
    let found = check_all(&brought_back_for(12));
    let outlived = found.iter().find(|found| found.check == "outlived");
    assert_eq!(outlived, None);
    is_found("outlived", &brought_back_for(20));
}

#[test]
fn a_live_session_without_its_entry_is_found() {
    let mut history = claiming();
    let put = history
        .events
        .iter()
        .position(|event| matches!(event, Event::Truth(truth) if truth.position == position(2)));
    let gone = Event::Truth(Truth {
        member: "log".into(),
        keyspace: "present".into(),
        position: position(3),
        changes: vec![("s0-0".into(), None)],
        at: at(12),
    });
    history.events.insert(put.unwrap() + 1, gone);
    is_found("presence", &history);
}

#[test]
fn an_acknowledged_entry_that_is_not_in_the_log_is_found() {
    lie("presence", truth(2, |truth| truth.changes.clear()));
}

#[test]
fn who_is_never_let_in_is_found() {
    let late = last() + 100;
    lie("settled", granted(6, |step| step.ret = at(late)));
    lie(
        "settled",
        granted(6, |step| step.did = ClaimDid::Refused("busy".into())),
    );
}

#[test]
fn a_claim_that_is_left_behind_is_found() {
    lie("settled", truth(19, |truth| truth.changes.clear()));
}

#[test]
fn claims_that_were_hardly_played_are_found() {
    let bounds: [fn(&mut ClaimLimits); 4] = [
        |limits| limits.min_grants = 8,
        |limits| limits.min_looks = 100,
        |limits| limits.min_losses = 2,
        |limits| limits.min_effects = 5,
    ];
    for raise in bounds {
        lie("enough claims", |event| {
            if let Event::ClaimRun(run) = event {
                raise(&mut run.limits);
            }
        });
    }
}

#[test]
fn a_history_of_claims_is_saved_and_loaded_whole() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let history = claiming();
    history.save(file.path()).unwrap();
    assert_eq!(History::load(file.path()).unwrap(), history);
}
