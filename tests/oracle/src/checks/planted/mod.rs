//! Each checker finds what it is there to find: a small history in which all is well, and one lie planted in it at a time.
//!
//! Nothing runs here: the histories are made by hand.

mod claiming;
mod claims;
mod good;
mod playing;
mod reads;
mod recipes;
mod runs;
mod scribe;
mod settings;
mod watches;
mod writes;

use globe::{Epoch, Position, Revision};

use super::{check_all, names};
use crate::history::*;
use good::{good, transact};
use scribe::{at, key, list, position, stored, version};

/// Plants something in the good history, and demands that one checker finds it.
fn planted(check: &str, plant: impl Fn(&mut Event)) {
    let mut history = good();
    history.events.iter_mut().for_each(plant);
    finds(check, &history);
}

/// One checker finds something in a history that is not the good one.
fn finds(check: &str, history: &History) {
    let is_there = names().any(|name| name == check);
    assert!(is_there, "there is no check {check}");
    assert_ne!(*history, good(), "nothing was planted");
    let found = check_all(history);
    assert!(
        found.iter().any(|violation| violation.check == check),
        "{check} found nothing; the others: {found:?}"
    );
}

fn delivered(plant: impl Fn(&mut Delivered)) -> impl Fn(&mut Event) {
    move |event| {
        if let Event::Delivered(delivered) = event {
            plant(delivered);
        }
    }
}

fn op(tag: &'static str, plant: impl Fn(&mut Op)) -> impl Fn(&mut Event) {
    move |event| match event {
        Event::Op(op) if op.tags.iter().any(|there| there == tag) => plant(op),
        _ => {}
    }
}

fn truth(revision: u64, plant: impl Fn(&mut Truth)) -> impl Fn(&mut Event) {
    move |event| match event {
        Event::Truth(truth) if truth.position == position(revision) => plant(truth),
        _ => {}
    }
}

fn sample(plant: impl Fn(&mut Read)) -> impl Fn(&mut Event) {
    move |event| {
        if let Event::Sample(sample) = event {
            plant(&mut sample.read);
        }
    }
}
