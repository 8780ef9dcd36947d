//! What shard tables, registries and settings may not do.
//!
//! Never runs a map: each history is written by hand.

use super::playing::playing;
use super::*;

/// Plants something in the good history of recipes, and demands that one checker finds it.
pub(super) fn lie(check: &str, plant: impl Fn(&mut Event)) {
    let mut history = playing();
    history.events.iter_mut().for_each(plant);
    is_found(check, &history);
}

/// Leaves something out of it.
pub(super) fn without(check: &str, is_left_out: impl Fn(&Event) -> bool) {
    let mut history = playing();
    history.events.retain(|event| !is_left_out(event));
    is_found(check, &history);
}

pub(super) fn is_found(check: &str, history: &History) {
    assert_ne!(*history, playing(), "nothing was planted");
    finds(check, history);
}

/// At a revision a record of this kind says something else, or is gone.
pub(super) fn says<'a>(
    revision: u64,
    key: &'a str,
    text: Option<&'a str>,
) -> impl Fn(&mut Event) + 'a {
    move |event| {
        let Event::Truth(truth) = event else { return };
        let changes = truth.changes.iter_mut();
        for (_, stored) in
            changes.filter(|(there, _)| truth.position == position(revision) && there == key)
        {
            match (stored.as_mut(), text) {
                (Some(stored), Some(text)) => stored.value.tag = text.into(),
                _ => *stored = None,
            }
        }
    }
}

fn of_shard(life: u32, shard: u32, plant: impl Fn(&mut ShardStep)) -> impl Fn(&mut Event) {
    move |event| match event {
        Event::ShardStep(step) if (step.life, step.shard) == (life, shard) => plant(step),
        _ => {}
    }
}

fn of_listed(plant: impl Fn(&mut Listed)) -> impl Fn(&mut Event) {
    move |event| {
        if let Event::Listed(listed) = event {
            plant(listed);
        }
    }
}

/// When the truth of this revision was heard.
fn heard(revision: u64) -> u64 {
    let history = playing();
    let mut truths = history.truths();
    let truth = truths.find(|it| it.position == position(revision) && !it.changes.is_empty());
    truth.unwrap().at.tick
}

#[test]
fn recipes_in_which_all_is_well_pass() {
    assert_eq!(check_all(&playing()), []);
}

const ROW: &str = "row/00000";

#[test]
fn a_row_that_is_given_to_who_is_not_there_is_found() {
    lie("moves", says(14, ROW, Some(r#"{"owner":"z@3","term":1}"#)));
    lie("moves", says(14, ROW, Some(r#"{"owner":"a@3","term":1}"#)));
}

#[test]
fn a_row_that_is_taken_from_who_is_there_is_found() {
    let prepared = r#"{"owner":"a@11","term":1,"next":"b@12","phase":"prepare"}"#;
    lie("moves", says(17, ROW, Some(prepared)));
    lie("moves", says(18, ROW, Some(r#"{"owner":"c@13","term":2}"#)));
}

#[test]
fn a_row_that_is_taken_from_who_died_although_its_next_owner_lives_is_found() {
    let moving = r#"{"owner":"c@13","term":1,"next":"a@11","phase":"prepare"}"#;
    lie("moves", says(14, "row/00001", Some(moving)));
}

#[test]
fn a_row_in_drain_that_is_served_again_is_found() {
    lie("moves", says(18, ROW, Some(r#"{"owner":"a@11","term":1}"#)));
}

#[test]
fn a_row_that_is_prepared_by_nobody_is_found() {
    let prepared = r#"{"owner":"a@11","term":1,"next":"z@3","phase":"prepare"}"#;
    lie("moves", says(16, ROW, Some(prepared)));
}

#[test]
fn a_term_that_does_not_grow_is_found() {
    for term in [0, 1, 3] {
        let row = format!(r#"{{"owner":"b@12","term":{term}}}"#);
        lie("moves", says(18, ROW, Some(&row)));
    }
    let prepared = r#"{"owner":"a@11","term":0,"next":"b@12","phase":"prepare"}"#;
    lie("moves", says(16, ROW, Some(prepared)));
}

#[test]
fn a_row_that_is_gone_or_is_none_is_found() {
    lie("moves", says(18, ROW, None));
    lie("moves", says(18, ROW, Some("nonsense")));
}

#[test]
fn an_available_row_that_is_drained_is_found() {
    let drained = r#"{"owner":"a@24","term":1,"next":"b@25","phase":"drain"}"#;
    lie("moves", says(30, ROW, Some(drained)));
}

#[test]
fn two_that_own_a_shard_are_found() {
    let late = at(heard(18) + 6);
    lie(
        "two owners",
        of_shard(1, 0, move |step| {
            if matches!(step.did, ShardDid::Served(_)) {
                step.ret = late;
            }
        }),
    );
}

/// Each may have been owned when the other was not: when it was looked at last is what is known.
#[test]
fn who_is_looked_at_too_seldom_is_accused_of_nothing() {
    let mut history = playing();
    let plant = of_shard(1, 0, |step| step.ret = step.call);
    history.events.iter_mut().for_each(plant);
    assert_eq!(check_all(&history), []);
}

#[test]
fn who_was_meddled_with_may_learn_it_late() {
    let late = at(heard(18) + 6);
    let mut history = playing();
    let plant = of_shard(1, 0, move |step| {
        if matches!(step.did, ShardDid::Served(_)) {
            step.ret = late;
        }
    });
    history.events.iter_mut().for_each(plant);
    let place = Place {
        keyspace: "strict-shards".into(),
        key: "member/a".into(),
    };
    history.events.push(Event::Meddled(Meddled {
        whose: Meddling::Record(place),
        call: at(heard(17)),
        ret: None,
    }));
    assert_eq!(check_all(&history), []);
}

#[test]
fn a_shard_that_is_handed_over_before_its_owner_has_stopped_is_found() {
    let late = at(heard(18) + 1);
    lie(
        "two owners",
        of_shard(1, 0, move |step| {
            if let ShardDid::Served(stopped) = &mut step.did {
                *stopped = late;
            }
        }),
    );
}

#[test]
fn a_token_that_no_row_said_is_found() {
    for number in [2, 7] {
        lie(
            "two owners",
            of_shard(1, 0, move |step| {
                step.token = globe::Token::new(Epoch::new(1), number);
            }),
        );
    }
}

#[test]
fn a_term_that_two_had_is_found() {
    lie(
        "two owners",
        says(21, "row/00001", Some(r#"{"owner":"b@12","term":1}"#)),
    );
}

#[test]
fn a_write_under_a_shard_that_was_somebody_elses_is_found() {
    lie("written", |event| match event {
        Event::ShardStep(step) if step.did == ShardDid::Writes("w1".into()) => {
            step.life = 1;
            step.token = globe::Token::new(Epoch::new(1), 1);
        }
        _ => {}
    });
    lie("written", |event| match event {
        Event::ShardStep(step) if step.did == ShardDid::Writes("w0".into()) => {
            step.life = 2;
            step.token = globe::Token::new(Epoch::new(1), 2);
        }
        _ => {}
    });
}

#[test]
fn who_leaves_and_keeps_what_he_had_is_found() {
    lie("given away", |event| match event {
        Event::LifeStep(step) if step.life == 1 && !matches!(step.did, LifeDid::Began { .. }) => {
            step.life = 2;
            step.id = "b".into();
        }
        Event::Truth(truth) if [position(22), position(23)].contains(&truth.position) => {
            for (key, stored) in &mut truth.changes {
                *key = "member/b".into();
                stored.iter_mut().for_each(|stored| stored.created = 12);
            }
        }
        _ => {}
    });
}

#[test]
fn a_member_that_goes_for_nothing_is_found() {
    let mut history = playing();
    let is_killed =
        |event: &Event| matches!(event, Event::LifeStep(step) if step.did == LifeDid::Killed);
    history.events.retain(|event| !is_killed(event));
    assert_eq!(check_all(&history), []);
    for event in &mut history.events {
        if let Event::RecipeRun(run) = event {
            run.is_steady = true;
        }
    }
    is_found("kept", &history);
}

#[test]
fn a_member_that_outlives_its_process_is_found() {
    let late = heard(20) + 20;
    lie("kept", move |event| match event {
        Event::Truth(truth) if truth.position == position(20) => truth.at = at(late),
        _ => {}
    });
    without(
        "kept",
        |event| matches!(event, Event::Truth(truth) if truth.position == position(20)),
    );
}

#[test]
fn a_shard_that_is_not_served_in_the_end_is_found() {
    let early = at(heard(22));
    lie(
        "served",
        of_shard(2, 1, move |step| step.did = ShardDid::Served(early)),
    );
    without(
        "served",
        |event| matches!(event, Event::LifeStep(step) if step.did == LifeDid::Over),
    );
    without(
        "served",
        |event| matches!(event, Event::ShardStep(step) if (step.life, step.shard) == (12, 0)),
    );
    let moving = r#"{"owner":"b@12","term":2,"next":"a@11","phase":"prepare"}"#;
    lie("served", says(21, "row/00001", Some(moving)));
    lie("served", says(21, "row/00001", None));
}

#[test]
fn a_look_at_a_service_that_shows_what_was_not_there_is_found() {
    lie(
        "listed",
        of_listed(|listed| listed.members.push(("z".into(), "up 1".into()))),
    );
    lie("listed", of_listed(|listed| listed.members.truncate(0)));
    lie(
        "listed",
        of_listed(|listed| listed.members[0].1 = "down 7".into()),
    );
    lie(
        "listed",
        of_listed(|listed| listed.held_back.push("x/1".into())),
    );
}

#[test]
fn what_is_held_back_may_be_gone() {
    let mut history = playing();
    let plant = of_listed(|listed| {
        listed.members.push(("w".into(), "up 1".into()));
        listed.held_back.push("w".into());
        listed.is_last = false;
    });
    history.events.iter_mut().for_each(plant);
    let found = check_all(&history);
    assert!(!found.iter().any(|it| it.check == "listed"), "{found:?}");
}

#[test]
fn who_is_registered_and_not_listed_is_found() {
    lie("registered", |event| match event {
        Event::LifeStep(step) if step.life == 32 => {
            if let LifeDid::Began { is_listed, .. } = &mut step.did {
                *is_listed = false;
            }
        }
        _ => {}
    });
    lie(
        "registered",
        of_listed(|listed| listed.members.retain(|(id, _)| id != "x/1")),
    );
    without(
        "registered",
        |event| matches!(event, Event::Listed(listed) if listed.is_last),
    );
}

#[test]
fn who_has_left_and_is_listed_for_ever_is_found() {
    lie(
        "registered",
        of_listed(|listed| {
            listed.members.push(("y".into(), "up 8".into()));
            listed.call.micros = 60_000_000;
        }),
    );
    // Nobody ever registered it.
    lie(
        "registered",
        of_listed(|listed| listed.members.push(("z".into(), "up 8".into()))),
    );
}

#[test]
fn recipes_that_were_hardly_played_are_found() {
    let bounds: [fn(&mut RecipeLimits); 4] = [
        |limits| limits.min_served = 11,
        |limits| limits.min_writes = 3,
        |limits| limits.min_listed = 3,
        |limits| limits.min_published = 2,
    ];
    for raise in bounds {
        lie("enough recipes", |event| {
            if let Event::RecipeRun(run) = event {
                raise(&mut run.limits);
            }
        });
    }
}

#[test]
fn a_history_of_recipes_is_saved_and_loaded_whole() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let history = playing();
    history.save(file.path()).unwrap();
    assert_eq!(History::load(file.path()).unwrap(), history);
}
