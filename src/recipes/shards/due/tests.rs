use super::{becomes, due};
use crate::recipes::shards::change::Change;
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::planner::Move;
use crate::recipes::shards::row::Mode;
use crate::recipes::shards::tests::{World, row};

const STRICT: Mode = Mode::Strict;
const AVAILABLE: Mode = Mode::Available;

/// Members `a`, `b` and `c`, each in its life 1 if it is in `live`; the row of shard 0.
fn world(mode: Mode, text: &str, live: &str) -> World {
    let mut world = World::new(mode, 1, 2);
    for id in live.chars() {
        world.enter_as(&id.to_string(), 1);
    }
    if !text.is_empty() {
        world.write(row(0, 0), text);
    }
    world
}

fn who(id: &str) -> Incarnation {
    Incarnation::new(id, 1)
}

const SETTLED: &str = "{'owner':'a@1','term':5}";
const PREPARE: &str = "{'owner':'a@1','term':5,'next':'b@1','phase':'prepare'}";
const DRAIN: &str = "{'owner':'a@1','term':5,'next':'b@1','phase':'drain'}";
const LEAVING: &str = "{'owner':'b@1','term':6,'prev':'a@1'}";

#[test]
fn what_was_in_vain_is_cancelled_and_what_the_dead_leave_is_inherited() {
    use Change::{Cancel, Inherit};
    let table = [
        (STRICT, "", "abc", None),
        (STRICT, SETTLED, "abc", None),
        (STRICT, SETTLED, "bc", None),
        (STRICT, PREPARE, "abc", None),
        (STRICT, PREPARE, "ac", Some(Cancel)),
        (STRICT, PREPARE, "bc", Some(Inherit)),
        (STRICT, PREPARE, "c", None),
        (STRICT, DRAIN, "abc", None),
        (STRICT, DRAIN, "ac", None),
        (STRICT, DRAIN, "bc", Some(Inherit)),
        (STRICT, LEAVING, "abc", Some(Cancel)),
        (STRICT, LEAVING, "c", Some(Cancel)),
        (AVAILABLE, DRAIN, "abc", Some(Cancel)),
        (AVAILABLE, DRAIN, "bc", Some(Inherit)),
        (AVAILABLE, LEAVING, "abc", None),
        (AVAILABLE, LEAVING, "bc", Some(Inherit)),
        (AVAILABLE, LEAVING, "ac", None),
        (AVAILABLE, LEAVING, "c", None),
    ];
    for (mode, text, live, wanted) in table {
        let world = world(mode, text, live);
        let is = due(&world.table, |_, _| false);
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|wanted| (row(0, 0), wanted))
            .collect();
        assert_eq!(is, wanted, "{mode:?} {text} {live}");
    }
}

#[test]
fn what_takes_too_long_is_cancelled_and_no_drain_is_forced() {
    for (text, wanted) in [
        (PREPARE, Some(Change::Cancel)),
        (DRAIN, None),
        (SETTLED, None),
    ] {
        let world = world(STRICT, text, "abc");
        let is = due(&world.table, |_, _| true).pop();
        assert_eq!(is.map(|(_, wanted)| wanted), wanted, "{text}");
    }
    // It is given to who prepares all the same, where its owner is dead.
    let world = world(STRICT, PREPARE, "bc");
    assert_eq!(due(&world.table, |_, _| true)[0].1, Change::Inherit);
}

/// It would only be given away again.
#[test]
fn what_is_prepared_by_one_that_drains_is_cancelled() {
    let mut world = world(STRICT, PREPARE, "abc");
    world.drain("b");
    assert_eq!(due(&world.table, |_, _| false)[0].1, Change::Cancel);
    world.write(row(0, 0), DRAIN);
    assert!(due(&world.table, |_, _| false).is_empty());
}

#[test]
fn a_move_becomes_what_it_can_be_and_otherwise_nothing() {
    use Change::{Assign, Prepare, Redirect};
    let (c, a) = (|| who("c"), || who("a"));
    let table = [
        (STRICT, "", "abc", c(), Some(Assign(c()))),
        (STRICT, "", "ab", c(), None),
        (STRICT, SETTLED, "abc", c(), Some(Prepare(c()))),
        (STRICT, SETTLED, "abc", a(), None),
        (STRICT, SETTLED, "ab", c(), None),
        (STRICT, SETTLED, "bc", c(), Some(Assign(c()))),
        (STRICT, PREPARE, "abc", c(), None),
        (STRICT, PREPARE, "ac", c(), None),
        (STRICT, PREPARE, "bc", c(), None),
        (STRICT, PREPARE, "c", c(), Some(Assign(c()))),
        (STRICT, DRAIN, "abc", c(), None),
        (STRICT, DRAIN, "ac", c(), Some(Redirect(c()))),
        (STRICT, DRAIN, "ac", a(), None),
        (STRICT, DRAIN, "c", c(), Some(Assign(c()))),
        (STRICT, LEAVING, "ac", c(), None),
        (AVAILABLE, LEAVING, "abc", c(), None),
        (AVAILABLE, LEAVING, "ac", c(), None),
        (AVAILABLE, LEAVING, "ac", a(), Some(Assign(a()))),
        (AVAILABLE, LEAVING, "c", c(), Some(Assign(c()))),
        (AVAILABLE, DRAIN, "ac", c(), None),
    ];
    for (mode, text, live, to, wanted) in table {
        let world = world(mode, text, live);
        let is = becomes(&world.table, &Move::new(0, 0, to.clone()));
        let wanted = wanted.map(|wanted| (row(0, 0), wanted));
        assert_eq!(is, wanted, "{mode:?} {text} {live} to {to}");
        let is_due = !due(&world.table, |_, _| false).is_empty();
        assert!(!is_due || is.is_none(), "both: {mode:?} {text} {live}");
    }
    // What there is no row for, in the table or at all, and a life that is over.
    let world = world(STRICT, SETTLED, "abc");
    for nonsense in [
        Move::new(1, 0, c()),
        Move::new(0, 2, c()),
        Move::new(u32::MAX, u32::MAX, c()),
    ] {
        assert_eq!(becomes(&world.table, &nonsense), None, "{nonsense:?}");
    }
    assert_eq!(
        becomes(&world.table, &Move::new(0, 0, Incarnation::new("c", 9))),
        None
    );
}

/// What people write that contradicts itself is no trap: it can be moved.
#[test]
fn a_row_that_goes_to_its_own_owner_can_be_moved() {
    for text in [
        "{'owner':'a@1','term':5,'next':'a@1','phase':'prepare'}",
        "{'owner':'a@1','term':5,'next':'a@1','phase':'drain'}",
        "{'owner':'a@1','term':5,'prev':'a@1'}",
        "{'owner':'a@1','term':5,'phase':'drain'}",
    ] {
        for mode in [STRICT, AVAILABLE] {
            let world = world(mode, text, "abc");
            assert!(due(&world.table, |_, _| false).is_empty(), "{text}");
            let is = becomes(&world.table, &Move::new(0, 0, who("c")));
            assert_eq!(is, Some((row(0, 0), Change::Prepare(who("c")))), "{text}");
        }
    }
}
