//! What a setting may not do.
//!
//! Never runs a map: each history is written by hand.

use super::playing::playing;
use super::recipes::{is_found, lie, says, without};
use super::*;

fn of_setting(plant: impl Fn(&mut SettingDid)) -> impl Fn(&mut Event) {
    move |event| {
        if let Event::SettingStep(step) = event {
            plant(&mut step.did);
        }
    }
}

#[test]
fn a_bad_value_that_is_shown_or_published_is_found() {
    lie(
        "settings",
        of_setting(|did| {
            if let SettingDid::Shown(value) = did {
                *value = 11;
            }
        }),
    );
    lie(
        "settings",
        of_setting(|did| {
            if let SettingDid::Published {
                value: 13, outcome, ..
            } = did
            {
                *outcome = Outcome::Done(Some(position(44)));
            }
        }),
    );
    lie("settings", says(44, "limit/global", Some("13")));
}

#[test]
fn a_published_value_that_does_not_stand_with_its_history_is_found() {
    lie("settings", says(43, "limit/global", Some("12")));
    let was = "limit/global/was/0000000001";
    lie("settings", says(43, was, Some(r#"{"value":10,"by":"n1"}"#)));
    lie("settings", says(43, was, Some(r#"{"value":8,"by":"n0"}"#)));
    lie("settings", says(43, was, None));
}

#[test]
fn a_published_value_that_is_not_shown_where_it_was_is_found() {
    let mut history = playing();
    for event in &mut history.events {
        if let Event::SettingStep(SettingStep {
            did: SettingDid::Published {
                value: 10, shown, ..
            },
            ..
        }) = event
        {
            *shown = 0;
        }
    }
    // Unless some process may remember another value.
    assert_eq!(check_all(&history), []);
    let plant = says(44, "limit/global", Some("12"));
    history.events.iter_mut().for_each(plant);
    for event in &mut history.events {
        if let Event::SettingStep(SettingStep {
            did: SettingDid::Last(last),
            ..
        }) = event
        {
            *last = 12;
        }
    }
    is_found("settings", &history);
}

#[test]
fn a_node_that_shows_something_else_in_the_end_is_found() {
    lie(
        "settings",
        of_setting(|did| {
            if let SettingDid::Last(value) = did {
                *value = 8;
            }
        }),
    );
    without(
        "settings",
        |event| matches!(event, Event::SettingStep(step) if matches!(step.did, SettingDid::Last(_))),
    );
}
