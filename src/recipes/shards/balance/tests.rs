use std::collections::BTreeSet;

use proptest::prelude::*;

use super::Balance;
use crate::recipes::shards::incarnation::Incarnation;
use crate::recipes::shards::planner::{Planner, Situation};
use crate::recipes::shards::row::{Mode, Row};
use crate::recipes::shards::shard_member::ShardMember;
use crate::recipes::shards::tests::{World, row};

const STRICT: Mode = Mode::Strict;

fn balanced(mode: Mode, slots: u32, replicas: u32, members: u32) -> World {
    let mut world = World::of(mode, slots, replicas, members);
    world.rest(&Balance::default(), true);
    world.handed = 0;
    world
}

#[test]
fn all_shards_are_given_out_at_once_and_evenly() {
    let mut world = World::of(STRICT, 1_000, 1, 7);
    assert_eq!(world.step(&Balance::default(), false), 1_000);
    assert!(
        world
            .loads()
            .values()
            .all(|load| (142..=143).contains(load)),
        "{:?}",
        world.loads()
    );
    assert_eq!(world.step(&Balance::default(), true), 0);
}

#[test]
fn what_the_dead_had_goes_to_the_others_and_nothing_else_moves() {
    let mut world = balanced(STRICT, 1_000, 1, 10);
    world.leave("a03");
    assert_eq!(world.step(&Balance::default(), false), 100);
    world.assert_level(0.05);
    assert_eq!(
        (world.handed, world.rest(&Balance::default(), true)),
        (100, 0)
    );
}

#[test]
fn who_comes_back_gets_what_its_dead_life_had() {
    let mut world = balanced(STRICT, 1_000, 1, 10);
    let had: Vec<u32> = (0..1_000)
        .filter(|shard| world.owner(row(*shard, 0)).as_deref() == Some("a03"))
        .collect();
    world.join("a03");
    assert_eq!(world.step(&Balance::default(), false), 100);
    assert!(
        had.iter()
            .all(|shard| world.owner(row(*shard, 0)).as_deref() == Some("a03"))
    );
}

/// Also where another one has come that is as empty.
#[test]
fn who_comes_back_gets_what_it_had_before_who_is_new_does() {
    let mut world = balanced(STRICT, 1_000, 1, 10);
    let is_its = |world: &World, shard| world.owner(row(shard, 0)).as_deref() == Some("a03");
    let had: Vec<u32> = (0..1_000).filter(|shard| is_its(&world, *shard)).collect();
    world.join("b");
    world.join("a03");
    world.step(&Balance::default(), false);
    let back = had.iter().filter(|shard| is_its(&world, **shard)).count();
    assert!(back >= 90, "its share of eleven, of what it had: {back}");
}

/// As far as its share goes: a member that comes back smaller gets less.
#[test]
fn who_comes_back_smaller_gets_its_share_only() {
    let mut world = balanced(STRICT, 1_000, 1, 10);
    world.enter(ShardMember::new("a03").weight(10));
    world.step(&Balance::default(), false);
    assert!(world.loads()["a03"] <= 12, "{:?}", world.loads());
    world.assert_level(0.05);
}

#[test]
fn a_member_that_joins_takes_only_its_share_and_only_after_the_table_is_settled() {
    let mut world = balanced(STRICT, 1_000, 1, 9);
    world.join("b");
    assert_eq!(world.step(&Balance::default(), false), 0);
    world.rest(&Balance::default(), true);
    world.assert_level(0.05);
    assert_eq!(world.loads()["b"], 95, "its share less the tolerance");
    assert_eq!(world.handed, 95, "each moved once, and nothing else");
}

#[test]
fn at_most_so_many_rows_of_a_member_move_at_a_time() {
    let planner = Balance::default().moving(3);
    let mut world = balanced(STRICT, 1_000, 1, 10);
    world.drain("a00");
    assert_eq!(world.step(&planner, false), 3);
    assert_eq!(
        world.step(&planner, false),
        0,
        "those three have not moved yet"
    );
    world.work(|_| true);
    world.work(|_| true);
    assert_eq!(world.step(&planner, false), 3);
    // What a member gets is bounded as well.
    let mut world = balanced(STRICT, 1_000, 1, 10);
    world.join("b");
    assert_eq!(world.step(&planner, true), 3);
    assert_eq!(world.step(&planner, true), 0);
}

#[test]
fn what_nobody_serves_waits_for_no_bound() {
    let planner = Balance::default().moving(1);
    let mut world = World::of(STRICT, 500, 1, 2);
    assert_eq!(world.step(&planner, false), 500);
}

#[test]
fn a_drained_row_whose_next_owner_died_waits_for_another() {
    let mut world = World::of(STRICT, 1, 1, 3);
    world.write(
        row(0, 0),
        "{'owner':'a00@1','term':1,'next':'gone@9','phase':'drain'}",
    );
    assert_eq!(world.step(&Balance::default(), false), 1);
    let next = world.row(row(0, 0)).unwrap().next.unwrap();
    assert!(["a01", "a02"].contains(&next.id()));
}

/// Nor is it given back to its owner who stopped, and who has another row of the shard: in this term it never serves it again.
#[test]
fn a_drained_row_whose_next_owner_died_does_not_go_to_who_stopped() {
    let mut world = World::of(STRICT, 1, 2, 2);
    world.write(
        row(0, 0),
        "{'owner':'a00@1','term':1,'next':'gone@9','phase':'drain'}",
    );
    world.write(row(0, 1), "{'owner':'a00@1','term':1}");
    assert_eq!(world.step(&Balance::default(), false), 1);
    let next = world.row(row(0, 0)).unwrap().next.unwrap();
    assert_eq!(next.id(), "a01");
}

#[test]
fn a_row_goes_where_it_is_pinned_from_wherever_it_is_and_stays_there() {
    let mut world = balanced(STRICT, 100, 1, 4);
    let pin = |world: &mut World, shards: std::ops::Range<u32>| {
        for shard in shards {
            let old = world.row(row(shard, 0)).unwrap();
            world.set(
                row(shard, 0),
                Row {
                    pin: Some("a01".to_owned()),
                    ..old
                },
            );
        }
    };
    pin(&mut world, 0..60);
    world.rest(&Balance::default(), true);
    let is_there =
        |world: &World| (0..60).all(|shard| world.owner(row(shard, 0)).as_deref() == Some("a01"));
    assert!(is_there(&world));
    assert_eq!(world.loads()["a01"], 60, "and what is not pinned made room");
    // Not while it is not there, and back when it is.
    world.leave("a01");
    world.rest(&Balance::default(), true);
    assert_eq!(world.loads().values().sum::<u64>(), 100);
    world.join("a01");
    world.rest(&Balance::default(), false);
    assert!(is_there(&world));
}

#[test]
fn replicas_are_on_different_members_and_in_different_zones() {
    let mut world = World::new(STRICT, 120, 2);
    for number in 0..6 {
        let zone = ["x", "y", "z"][number % 3];
        world.enter(ShardMember::new(format!("m{number}")).zone(zone));
    }
    world.rest(&Balance::default(), true);
    assert_apart(&world, true);
    world.assert_level(0.05);
    for id in ["m0", "m3"] {
        world.leave(id); // a zone is gone
        world.rest(&Balance::default(), true);
        assert_apart(&world, true);
    }
    for id in ["m1", "m4"] {
        world.leave(id); // and another: two in one zone is better than one
        world.rest(&Balance::default(), true);
        assert_apart(&world, false);
    }
    world.enter(ShardMember::new("m0").zone("x"));
    world.rest(&Balance::default(), false);
    world.rest(&Balance::default(), true);
    assert_apart(&world, true);
}

/// Where there are no zones nothing else keeps them apart.
#[test]
fn replicas_are_on_different_members_without_zones() {
    let mut world = World::of(STRICT, 120, 2, 3);
    world.rest(&Balance::default(), true);
    assert_apart(&world, false);
    // Who is alone is one of the two, and not both.
    let mut alone = World::of(STRICT, 4, 2, 1);
    alone.rest(&Balance::default(), true);
    let second = (0..4).filter(|shard| alone.row(row(*shard, 1)).is_some());
    assert_eq!(second.count(), 0);
}

fn assert_apart(world: &World, by_zone: bool) {
    for shard in 0..world.table.len() {
        let owners: Vec<_> = (0..world.table.replicas())
            .map(|replica| {
                let owner = world.owner(row(shard, replica)).unwrap();
                world.table.member(&owner).unwrap().clone()
            })
            .collect();
        let ids: BTreeSet<&str> = owners.iter().map(|owner| owner.id()).collect();
        assert_eq!(ids.len(), owners.len(), "{shard}: {ids:?}");
        let zones: BTreeSet<_> = owners.iter().map(|owner| owner.zone()).collect();
        assert!(
            !by_zone || zones.len() == owners.len(),
            "{shard}: {owners:?}"
        );
    }
}

#[test]
fn who_has_a_shard_warm_becomes_its_first_owner_and_its_own_place_goes_to_another() {
    let mut world = balanced(STRICT, 90, 2, 6);
    let first: Vec<u32> = (0..90)
        .filter(|shard| world.owner(row(*shard, 0)).as_deref() == Some("a02"))
        .collect();
    let second: Vec<_> = first
        .iter()
        .map(|shard| world.owner(row(*shard, 1)))
        .collect();
    assert!(first.len() > 5, "{}", first.len());
    world.leave("a02");
    world.step(&Balance::default(), false);
    let now: Vec<_> = first
        .iter()
        .map(|shard| world.owner(row(*shard, 0)))
        .collect();
    assert_eq!(now, second);
    // In the very same plan: they are one member for the time of a move.
    assert!(
        first
            .iter()
            .all(|shard| world.row(row(*shard, 1)).unwrap().next.is_some())
    );
    world.rest(&Balance::default(), false);
    assert_apart(&world, false);
}

/// The pin keeps its own row there, which is no reason for nobody to serve the shard.
#[test]
fn a_shard_keeps_a_first_owner_though_the_last_member_is_pinned_to_another_row_of_it() {
    for settled in [false, true] {
        let mut world = balanced(STRICT, 10, 2, 2);
        let pinned = row(3, 1);
        let old = world.row(pinned).unwrap();
        world.set(
            pinned,
            Row {
                pin: Some("a01".to_owned()),
                ..old
            },
        );
        world.rest(&Balance::default(), settled);
        world.leave("a00");
        world.rest(&Balance::default(), settled);
        for shard in 0..10 {
            assert_eq!(world.owner(row(shard, 0)).as_deref(), Some("a01"));
        }
        world.join("a02");
        world.rest(&Balance::default(), settled);
        assert_eq!(world.owner(pinned).as_deref(), Some("a01"));
        assert_apart(&world, false);
    }
}

#[test]
fn a_row_without_a_member_that_may_have_it_stays_without() {
    let mut world = World::of(STRICT, 10, 3, 2);
    world.rest(&Balance::default(), true);
    assert_eq!(
        world.table.rows().count(),
        20,
        "two of three, on two members"
    );
    assert_apart_where_there(&world);
    // None at all.
    let mut world = World::new(STRICT, 10, 1);
    assert_eq!(world.step(&Balance::default(), true), 0);
    // One has all, and when it drains nobody can take them.
    world.join("a");
    world.rest(&Balance::default(), true);
    assert_eq!(world.loads()["a"], 10);
    world.drain("a");
    assert_eq!(world.step(&Balance::default(), true), 0);
}

fn assert_apart_where_there(world: &World) {
    for shard in 0..world.table.len() {
        let owners =
            (0..world.table.replicas()).filter_map(|replica| world.owner(row(shard, replica)));
        let owners: Vec<_> = owners.collect();
        assert_eq!(
            owners.iter().collect::<BTreeSet<_>>().len(),
            owners.len(),
            "{shard}: {owners:?}"
        );
    }
}

#[test]
fn a_table_without_rows_has_no_plan() {
    let world = World::of(STRICT, 0, 1, 3);
    assert!(
        Balance::default()
            .plan(&Situation::new(&world.table).settled(true))
            .is_empty()
    );
}

#[test]
fn who_flaps_gets_nothing_unless_there_is_nobody_else() {
    let mut world = World::of(STRICT, 100, 1, 2);
    world.step_in(|table| {
        Balance::default().plan(&Situation::new(table).settled(true).kept_from("a00"))
    });
    assert_eq!(world.loads()["a00"], 0);
    world.leave("a01");
    world.step_in(|table| {
        Balance::default().plan(&Situation::new(table).settled(true).kept_from("a00"))
    });
    assert_eq!(world.loads()["a00"], 100);
}

#[test]
fn a_row_rests_from_whom_refused_it() {
    let mut world = World::of(STRICT, 1, 1, 2);
    let first = world.table.member("a00").unwrap().incarnation().clone();
    let plan = |world: &World| {
        let situation = Situation::new(&world.table).resting(0, 0, first.clone());
        Balance::default().plan(&situation)
    };
    assert_eq!(plan(&world)[0].to.id(), "a01");
    world.leave("a01");
    assert!(plan(&world).is_empty());
    assert_eq!(
        Balance::default().plan(&Situation::new(&world.table)).len(),
        1
    );
}

#[test]
fn weights_are_followed_however_large() {
    let mut world = World::new(STRICT, 100, 1);
    for (id, weight) in [
        ("a", 1_000_000),
        ("b", 3_000_000),
        ("c", u32::MAX),
        ("d", 0),
    ] {
        world.enter(ShardMember::new(id).weight(weight));
    }
    world.rest(&Balance::default(), true);
    world.assert_level(0.05);
    for shard in 0..100 {
        let old = world.row(row(shard, 0)).unwrap();
        let weight = if shard % 7 == 0 { u32::MAX } else { shard };
        world.set(row(shard, 0), Row { weight, ..old });
    }
    world.rest(&Balance::default(), true);
    world.assert_level(0.05);
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for bad in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        let error = Balance::default().tolerance(bad).check().unwrap_err();
        assert!(error.to_string().contains("0 to 1"), "{error}");
    }
    assert!(Balance::default().moving(0).check().is_err());
    assert!(Balance::default().check().is_ok());
}

/// The empty newcomer gets the next one's shards directly, because nothing is balanced before the table is settled.
#[test]
fn a_rolling_restart_of_50_moves_each_shard_about_once() {
    const SHARDS: u32 = 10_000;
    // With 16 at a time, as it is by default, it is the same, but takes a minute.
    let planner = Balance::default().moving(64);
    let mut world = balanced(STRICT, SHARDS, 1, 50);
    let has = |world: &World, id: &str| world.table.rows().any(|(_, _, row)| row.owner.id() == id);
    for number in 0..50 {
        let id = format!("a{number:02}");
        world.drain(&id);
        while has(&world, &id) {
            world.step(&planner, false);
            world.work(|_| true);
            world.work(|_| true);
        }
        let owned = world.loads().values().sum::<u64>();
        assert_eq!(owned, u64::from(SHARDS), "none is without an owner");
        world.leave(&id);
        assert_eq!(world.step(&planner, false), 0);
        world.join(&id);
        assert_eq!(world.step(&planner, false), 0);
    }
    world.rest(&planner, true);
    world.assert_level(0.05);
    let moves = world.handed as f64 / f64::from(SHARDS);
    assert!((1.0..=1.1).contains(&moves), "{moves} moves a shard");
}

/// What may happen to a table.
#[derive(Clone, Debug)]
enum Act {
    Join(u8, u32),
    Leave(u8),
    Drain(u8),
    Weigh(u32, u32),
    Pin(u32, Option<u8>),
    Nonsense(u32, u8),
    Work(u64),
    Plan,
}

fn act() -> impl Strategy<Value = Act> {
    let weight = prop_oneof![4 => Just(100), 1 => 1..400_u32, 1 => Just(u32::MAX)];
    prop_oneof![
        3 => (0..8_u8, weight).prop_map(|(id, weight)| Act::Join(id, weight)),
        2 => (0..8_u8).prop_map(Act::Leave),
        2 => (0..8_u8).prop_map(Act::Drain),
        1 => (0..40_u32, prop_oneof![0..9_u32, Just(u32::MAX)]).prop_map(|(row, weight)| Act::Weigh(row, weight)),
        1 => (0..40_u32, proptest::option::of(0..8_u8)).prop_map(|(row, pin)| Act::Pin(row, pin)),
        1 => (0..40_u32, 0..8_u8).prop_map(|(row, kind)| Act::Nonsense(row, kind)),
        4 => any::<u64>().prop_map(Act::Work),
        4 => Just(Act::Plan),
    ]
}

fn perform(world: &mut World, act: &Act, planner: &Balance) {
    let id = |number: u8| format!("m{number}");
    let at = |world: &World, number: u32| {
        world
            .table
            .row_at(number as usize % (world.table.len() * world.table.replicas()) as usize)
    };
    match act {
        Act::Join(number, weight) => {
            let zone = ["x", "y"][usize::from(*number) % 2];
            world.enter(ShardMember::new(id(*number)).weight(*weight).zone(zone));
        }
        Act::Leave(number) => world.leave(&id(*number)),
        Act::Drain(number) => {
            if world.table.member(&id(*number)).is_some() {
                world.drain(&id(*number));
            }
        }
        Act::Weigh(number, weight) => {
            let at = at(world, *number);
            if let Some(old) = world.row(at) {
                world.set(
                    at,
                    Row {
                        weight: *weight,
                        ..old
                    },
                );
            }
        }
        Act::Pin(number, pin) => {
            let at = at(world, *number);
            if let Some(old) = world.row(at) {
                world.set(
                    at,
                    Row {
                        pin: pin.map(id),
                        ..old
                    },
                );
            }
        }
        Act::Nonsense(number, kind) => {
            let live = world
                .table
                .members()
                .next()
                .map(|peer| peer.incarnation().to_string());
            let a = live.unwrap_or_else(|| "x@1".to_owned());
            let texts = [
                format!("{{'owner':'{a}','term':5,'next':'{a}','phase':'prepare'}}"),
                format!("{{'owner':'{a}','term':5,'next':'{a}','phase':'drain'}}"),
                format!("{{'owner':'{a}','term':5,'prev':'{a}'}}"),
                format!("{{'owner':'{a}','term':5,'phase':'drain'}}"),
                format!("{{'owner':'y@3','term':{},'prev':'{a}'}}", u64::MAX),
                format!("{{'owner':'{a}','term':5,'next':'y@3','phase':'drain'}}"),
                format!("{{'owner':'{a}','term':5,'next':'y@3','phase':'prepare','prev':'z@1'}}"),
                "{'owner':'y@3','term':5,'next':'z@1','phase':'drain'}".to_owned(),
            ];
            let at = at(world, *number);
            world.write(at, &texts[usize::from(*kind)]);
        }
        Act::Work(seed) => {
            let mut random = fastrand::Rng::with_seed(*seed);
            world.work(|_| random.bool());
        }
        Act::Plan => {
            assert_plan(world, planner);
            world.step(planner, false);
        }
    }
}

/// No move of a plan is to one that may not have the row, and no plan depends on anything but the table.
fn assert_plan(world: &World, planner: &Balance) {
    for is_settled in [false, true] {
        let situation = Situation::new(&world.table).settled(is_settled);
        let moves = planner.plan(&situation);
        assert_eq!(moves, planner.plan(&situation.clone()));
        for one in moves {
            let old = world.row(row(one.shard, one.replica));
            // Whoever still serves it gets it back, whatever it is else.
            let is_back = old
                .as_ref()
                .is_some_and(|old| old.prev.as_ref() == Some(&one.to));
            let peer = world.table.member(one.to.id()).unwrap();
            assert_eq!(peer.incarnation(), &one.to);
            assert!(is_back || peer.is_up(), "{one:?} of {old:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_table_comes_to_rest_with_an_owner_for_each_row(
        acts in proptest::collection::vec(act(), 1..60),
        is_strict in any::<bool>(),
        replicas in 1..4_u32,
        moving in 1..20_u32,
    ) {
        let mode = if is_strict { Mode::Strict } else { Mode::Available };
        let planner = Balance::default().moving(moving);
        let mut world = World::new(mode, 40 / replicas, replicas);
        for one in &acts {
            perform(&mut world, one, &planner);
        }
        world.rest(&planner, false);
        world.rest(&planner, true);
        let up: Vec<_> = world.table.members().filter(|peer| peer.is_up()).cloned().collect();
        if up.is_empty() {
            return Ok(());
        }
        let rows = || (0..40 / replicas).flat_map(|shard| (0..replicas).map(move |replica| row(shard, replica)));
        for id in rows().filter(|id| id.replica == 0) {
            prop_assert!(world.owner(id).is_some(), "{id:?} has no owner");
        }
        if up.len() >= replicas as usize {
            for id in rows() {
                prop_assert!(world.owner(id).is_some(), "{id:?} has no owner");
            }
            assert_apart_where_there(&world);
            // Those that drain have nothing any more.
            let loads = world.loads();
            for peer in world.table.members().filter(|peer| !peer.is_up()) {
                prop_assert_eq!(loads[peer.id()], 0, "{} drains", peer.id());
            }
        }
        let pinned = |id| world.row(id).and_then(|row| row.pin);
        let is_up = |id: &String| up.iter().any(|peer| peer.id() == id);
        if replicas == 1 {
            for id in rows() {
                if let Some(pin) = pinned(id).filter(is_up) {
                    prop_assert_eq!(world.owner(id), Some(pin));
                }
            }
            if rows().all(|id| pinned(id).is_none()) {
                world.assert_level(0.05);
            }
        }
    }

    /// Where no bound makes the next one give in the place of the fullest.
    #[test]
    fn equal_weights_move_no_more_than_they_must(
        loads in proptest::collection::vec(0..30_u32, 1..8),
        newcomers in 0..4_u32,
    ) {
        let slots = loads.iter().sum::<u32>();
        let mut world = World::new(STRICT, slots, 1);
        let mut shard = 0;
        for (number, load) in loads.iter().enumerate() {
            let who = world.join(&format!("a{number}"));
            for _ in 0..*load {
                world.set(row(shard, 0), Row::new(who.clone(), 1));
                shard += 1;
            }
        }
        for number in 0..newcomers {
            world.join(&format!("b{number}"));
        }
        world.rest(&Balance::default().tolerance(0.0).moving(1_000), true);
        world.assert_level(0.0);
        // Each has its share, rounded one way or the other; the largest keep the larger ones.
        let members = loads.len() as u32 + newcomers;
        let (share, more) = (slots / members, slots % members);
        let mut sorted: Vec<u32> = loads.iter().copied().chain((0..newcomers).map(|_| 0)).collect();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        let goal = |at: usize| share + u32::from((at as u32) < more);
        let least: u32 = sorted.iter().enumerate().map(|(at, load)| load.saturating_sub(goal(at))).sum();
        prop_assert_eq!(world.handed as u32, least);
    }
}

#[test]
fn an_incarnation_is_not_taken_for_another() {
    let mut world = World::of(STRICT, 1, 1, 1);
    world.set(row(0, 0), Row::new(Incarnation::new("a00", 77), 4));
    assert_eq!(world.step(&Balance::default(), false), 1);
    let now = world.row(row(0, 0)).unwrap();
    assert_eq!((now.owner, now.term), (Incarnation::new("a00", 1), 5));
}
