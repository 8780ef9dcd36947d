use std::time::Duration;

use tokio::time::Instant;

use super::{COUNTED, Damping, RESTS};
use crate::Epoch;
use crate::recipes::shards::change::Change;
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::row::{Mode, Row};
use crate::recipes::shards::tests::{World, row};

const SETTLE: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(60);

/// A table, its past, and a clock that is moved by hand.
struct Past {
    world: World,
    damping: Damping,
    now: Instant,
}

impl Past {
    fn of(world: World) -> Past {
        let mut past = Past {
            world,
            damping: Damping::new(SETTLE, TIMEOUT),
            now: Instant::now(),
        };
        past.see();
        past
    }

    fn see(&mut self) {
        self.damping.see(&self.world.table, self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn is_settled(&self) -> bool {
        self.damping
            .situation(&self.world.table, self.now)
            .is_settled()
    }

    fn rests(&self, who: &Incarnation) -> bool {
        self.damping
            .situation(&self.world.table, self.now)
            .rests(0, 0, who)
    }

    fn make(&mut self, wanted: &Change, by: Option<&Incarnation>) {
        self.world.make(row(0, 0), wanted, by);
        self.see();
    }

    /// In how many seconds there is something to do.
    fn wake(&self) -> Option<u64> {
        self.damping
            .wake(self.now)
            .map(|at| (at - self.now).as_secs())
    }
}

#[test]
fn a_table_is_settled_when_nobody_came_went_or_began_to_drain() {
    let mut past = Past::of(World::of(Mode::Strict, 1, 1, 3));
    type Stir = fn(&mut World);
    let stirs: [(Stir, bool); 7] = [
        (|_| {}, true),
        (
            |world| {
                world.join("b");
            },
            false,
        ),
        (|world| world.leave("b"), false),
        (|world| world.drain("a01"), false),
        (
            |world| {
                world.join("a01");
            },
            false,
        ),
        (
            |world| world.change_member("a00", |member| member.weight(7).data("new")),
            true,
        ),
        (
            |world| world.write(row(0, 0), "{'owner':'a00@1','term':1}"),
            true,
        ),
    ];
    assert!(!past.is_settled(), "at first nothing is known");
    for (number, (stir, is_still)) in stirs.into_iter().enumerate() {
        past.pass(29);
        assert!(number > 0 || !past.is_settled());
        past.pass(1);
        assert!(past.is_settled(), "before {number}");
        stir(&mut past.world);
        past.see();
        assert_eq!(past.is_settled(), is_still, "{number}");
    }
}

#[test]
fn flapping_is_damped() {
    let mut past = Past::of(World::of(Mode::Strict, 1, 1, 1));
    let kept = [0, 0, 0, 30, 60, 120, 240, 300, 300];
    for (number, kept) in kept.into_iter().enumerate() {
        past.world.join("b");
        past.see();
        let takes = |past: &Past| {
            let table = &past.world.table;
            past.damping
                .situation(table, past.now)
                .takes(table.member("b").unwrap())
        };
        assert_eq!(takes(&past), kept == 0, "join {number}");
        // Another look changes nothing, and nobody else is meant.
        past.see();
        assert!(!past.damping.flaps("a00", past.now));
        let joined = past.now;
        if kept > 0 {
            past.now = joined + Duration::from_secs(kept - 1);
            assert!(!takes(&past), "join {number}");
            past.now = joined + Duration::from_secs(kept);
            assert!(takes(&past), "join {number}");
        }
        past.now = joined + Duration::from_secs(5);
    }
    // After a while it is as anybody else.
    past.pass(601);
    past.see();
    past.world.join("b");
    past.see();
    assert!(!past.damping.flaps("b", past.now));
}

#[test]
fn a_row_rests_from_who_refused_or_took_too_long() {
    for mode in [Mode::Strict, Mode::Available] {
        for is_refused in [true, false] {
            let mut world = World::of(mode, 1, 1, 2);
            let (a, b) = (Incarnation::new("a00", 1), Incarnation::new("a01", 2));
            world.set(row(0, 0), Row::new(a.clone(), 1));
            let mut past = Past::of(world);
            past.make(&Change::Prepare(b.clone()), None);
            assert!(!past.rests(&b));
            match is_refused {
                true => past.make(&Change::Refuse, Some(&b)),
                false => past.make(&Change::Cancel, None),
            }
            assert!(past.rests(&b) && !past.rests(&a));
            past.pass(29);
            past.see();
            assert!(past.rests(&b));
            past.pass(1);
            assert!(!past.rests(&b), "also without another table");
        }
    }
}

/// What lies between two tables may not have been seen.
#[test]
fn what_was_done_unseen_was_not_refused() {
    let mut world = World::of(Mode::Strict, 1, 1, 2);
    let (a, b) = (Incarnation::new("a00", 1), Incarnation::new("a01", 2));
    world.set(row(0, 0), Row::new(a.clone(), 1));
    let mut past = Past::of(world);
    past.make(&Change::Prepare(b.clone()), None);
    past.world.set(row(0, 0), Row::new(b.clone(), 2));
    past.see();
    assert!(!past.rests(&b) && !past.rests(&a));
}

#[test]
fn who_died_refused_nothing_and_what_was_done_was_not_refused() {
    let mut world = World::of(Mode::Strict, 1, 1, 2);
    let (a, b) = (Incarnation::new("a00", 1), Incarnation::new("a01", 2));
    world.set(row(0, 0), Row::new(a.clone(), 1));
    let mut past = Past::of(world);
    past.make(&Change::Prepare(b.clone()), None);
    past.make(&Change::Ready, Some(&b));
    past.make(&Change::Done, Some(&a));
    assert!(!past.rests(&b) && !past.rests(&a));
    past.make(&Change::Prepare(a.clone()), None);
    past.world.leave("a00");
    past.make(&Change::Cancel, None);
    past.world.enter_as("a00", 1);
    past.see();
    assert!(!past.rests(&a));
}

#[test]
fn what_is_prepared_too_long_is_overdue_and_what_drains_too_long_is_stuck() {
    let mut world = World::of(Mode::Strict, 1, 1, 2);
    let (a, b) = (Incarnation::new("a00", 1), Incarnation::new("a01", 2));
    world.set(row(0, 0), Row::new(a, 1));
    let mut past = Past::of(world);
    past.pass(100);
    past.make(&Change::Prepare(b.clone()), None);
    let is_overdue = |past: &Past| {
        past.damping
            .is_overdue(row(0, 0), &past.world.row(row(0, 0)).unwrap(), past.now)
    };
    past.pass(59);
    // Another change of the row does not give it more time.
    let old = past.world.row(row(0, 0)).unwrap();
    past.world.set(row(0, 0), Row { weight: 9, ..old });
    past.see();
    assert!(!is_overdue(&past) && past.damping.stuck(past.now) == 0);
    assert_eq!(past.wake(), Some(1));
    past.pass(1);
    assert!(is_overdue(&past) && past.damping.stuck(past.now) == 1);
    past.make(&Change::Ready, Some(&b));
    assert!(past.damping.stuck(past.now) == 0);
    past.pass(40);
    past.world.leave("a01");
    let c = past.world.join("c");
    past.make(&Change::Redirect(c), None);
    past.pass(20);
    assert!(
        !is_overdue(&past) && past.damping.stuck(past.now) == 1,
        "who stops it is the same"
    );
}

#[test]
fn it_says_when_to_look_again() {
    let mut past = Past::of(World::of(Mode::Strict, 1, 1, 1));
    assert_eq!(past.wake(), Some(30));
    past.pass(30);
    assert_eq!(past.wake(), None);
    for _ in 0..5 {
        past.world.join("b");
        past.see();
    }
    assert_eq!(past.wake(), Some(30));
    past.pass(30);
    assert_eq!(past.wake(), Some(30), "it is kept from shards for 60 s");
}

#[test]
fn in_another_life_of_the_log_nothing_was_refused_and_nothing_takes_long() {
    let mut world = World::of(Mode::Strict, 1, 1, 2);
    let (a, b) = (Incarnation::new("a00", 1), Incarnation::new("a01", 2));
    world.set(row(0, 0), Row::new(a, 1));
    let mut past = Past::of(world);
    past.make(&Change::Prepare(b.clone()), None);
    past.pass(100);
    past.world.table.position.epoch = Epoch::new(77);
    past.see();
    let row_now = past.world.row(row(0, 0)).unwrap();
    assert!(!past.damping.is_overdue(row(0, 0), &row_now, past.now));
    past.make(&Change::Refuse, Some(&b));
    assert!(past.rests(&b));
    past.world.table.position.epoch = Epoch::new(78);
    past.see();
    assert!(!past.rests(&b) && !past.is_settled());
}

#[test]
fn however_much_happens_its_memory_is_bounded() {
    let mut past = Past::of(World::of(Mode::Strict, 12_000, 1, 2));
    let b = Incarnation::new("a01", 2);
    for shard in 0..12_000 {
        past.world
            .set(row(shard, 0), Row::new(Incarnation::new("a00", 1), 1));
        past.world
            .make(row(shard, 0), &Change::Prepare(b.clone()), None);
    }
    past.see();
    assert_eq!(past.damping.moving.len(), 12_000);
    for shard in 0..12_000 {
        if shard == 6_000 {
            past.see();
            past.pass(1);
        }
        past.world.make(row(shard, 0), &Change::Refuse, Some(&b));
    }
    past.see();
    assert!(past.damping.moving.is_empty());
    assert!(past.damping.resting.len() <= RESTS);
    assert!(
        past.damping
            .situation(&past.world.table, past.now)
            .rests(11_999, 0, &b),
        "the last are remembered"
    );
    for _ in 0..100 {
        past.world.join("c");
        past.see();
    }
    assert!(past.damping.joins["c"].len() <= COUNTED);
    past.world.leave("c");
    for hundred in 0..110 {
        let ids = (0..100).map(|number| format!("d{hundred}-{number}"));
        for id in ids.clone() {
            past.world.join(&id);
        }
        past.see();
        for id in ids {
            past.world.leave(&id);
        }
    }
    past.see();
    assert!(
        past.damping.joins.len() <= 10_000,
        "{}",
        past.damping.joins.len()
    );
    past.pass(600);
    past.see();
    assert!(past.damping.joins.is_empty() && past.damping.resting.is_empty());
}

#[test]
fn times_without_end_are_no_trouble() {
    let mut world = World::of(Mode::Strict, 1, 1, 2);
    world.write(
        row(0, 0),
        "{'owner':'a00@1','term':1,'next':'a01@2','phase':'prepare'}",
    );
    let mut past = Past::of(world);
    past.damping = Damping::new(Duration::MAX, Duration::MAX);
    for _ in 0..50 {
        past.world.join("b");
        past.see();
    }
    assert!(!past.is_settled());
    assert_eq!(
        past.wake(),
        Some(300),
        "it is kept from shards for five minutes at most"
    );
}
