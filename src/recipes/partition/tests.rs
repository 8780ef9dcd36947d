use proptest::prelude::*;

use super::{Partition, waits};
use crate::ErrorKind;

fn members(count: usize) -> Vec<(String, u32)> {
    (0..count)
        .map(|number| (format!("web-{number}"), 1))
        .collect()
}

fn over(members: &[(String, u32)], slots: u32, bound: f64) -> Partition {
    Partition::over(members.to_vec(), slots, bound).unwrap()
}

fn load(partition: &Partition, id: &str) -> usize {
    partition.iter().filter(|(_, owner)| *owner == id).count()
}

/// How many slots changed hands: those of or to this member, and others.
fn moved(one: &Partition, other: &Partition, who: &str) -> (usize, usize) {
    let pairs = one.iter().zip(other.iter());
    let moved = pairs.filter(|((_, was), (_, is))| was != is);
    let (his, others): (Vec<_>, Vec<_>) =
        moved.partition(|((_, was), (_, is))| *was == who || *is == who);
    (his.len(), others.len())
}

#[test]
fn each_member_gets_its_share_and_nobody_more_than_the_bound() {
    for count in [1, 3, 10, 50] {
        for bound in [1.0, 1.1, 1.25, f64::INFINITY] {
            let members = members(count);
            let partition = over(&members, 2_000, bound);
            assert_eq!(partition.iter().count(), 2_000);
            let most = (2_000.0 / count as f64 * bound).ceil();
            for (id, _) in &members {
                let load = load(&partition, id) as f64;
                assert!(load <= most, "{id}: {load} of {most}");
                assert!(load > 1_200.0 / count as f64, "{id}: {load}");
            }
        }
    }
}

#[test]
fn weights_are_followed() {
    let members = [("a", 1), ("b", 2), ("c", 7)];
    let partition = Partition::over(members, 10_000, f64::INFINITY).unwrap();
    for (id, weight) in members {
        let load = load(&partition, id) as f64 / 1_000.0;
        assert!((load - f64::from(weight)).abs() < 0.15, "{id}: {load}");
    }
    let huge = Partition::over([("a", u32::MAX), ("b", 1)], 100, 1.0).unwrap();
    assert!(load(&huge, "a") >= 99);
}

#[test]
fn a_join_only_takes_and_a_leave_only_gives_where_there_is_no_bound() {
    for count in [1, 3, 10, 50] {
        let (few, more) = (members(count), members(count + 1));
        let who = &more[count].0;
        let (before, after) = (
            over(&few, 5_000, f64::INFINITY),
            over(&more, 5_000, f64::INFINITY),
        );
        let (his, others) = moved(&before, &after, who);
        assert_eq!((his, others), (load(&after, who), 0));
        // A leave is the same, the other way round: all that moves is what it had.
    }
}

/// What is full changes with who is there, so more moves: less than the same number again at a bound of 1.25.
#[test]
fn with_a_bound_a_join_moves_little_more_than_its_share() {
    for count in [3, 5, 10, 20, 50] {
        let (few, more) = (members(count), members(count + 1));
        let who = &more[count].0;
        for slots in [1_000, 10_000] {
            let (before, after) = (over(&few, slots, 1.25), over(&more, slots, 1.25));
            let (his, others) = moved(&before, &after, who);
            assert!(
                others <= his,
                "{count} members, {slots} slots: {his}, and {others} others"
            );
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let invalid = |members: &[(&str, u32)], bound: f64, says: &str| {
        let error = Partition::over(members.to_vec(), 10, bound).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
    };
    invalid(&[("a", 1)], 0.9, "0.9");
    invalid(&[("a", 1)], f64::NAN, "1 or more");
    invalid(&[("a", 1), ("b", 0)], 1.5, "member b has the weight 0");
    invalid(&[("a", 1), ("b", 2), ("a", 2)], 1.5, "two members a");
}

#[test]
fn of_nobody_and_of_nothing_there_is_no_owner() {
    let nobody = over(&[], 10, 1.5);
    assert_eq!(
        (nobody.owner(0), nobody.owner_of("x"), nobody.iter().count()),
        (None, None, 0)
    );
    let nothing = over(&members(3), 0, 1.5);
    assert_eq!((nothing.owner(0), nothing.owner_of("x")), (None, None));
    let some = over(&members(3), 10, 1.5);
    assert!(some.owner(9).is_some() && some.owner(10).is_none() && some.owner(u32::MAX).is_none());
    assert!((0..100).all(|key| some.owner_of(format!("key-{key}")).is_some()));
}

/// Other versions and machines must compute the same.
#[test]
fn a_slot_belongs_to_whom_it_always_belonged() {
    let partition = Partition::over([("a", 1), ("b", 2), ("c", 3)], 24, 1.25).unwrap();
    let owners: String = partition.iter().map(|(_, owner)| owner).collect();
    assert_eq!(owners, "ccbcbbbabcbcccabbbbccccc");
}

#[test]
fn the_logarithm_is_one() {
    let mut random = fastrand::Rng::with_seed(7);
    let hashes = (0..64)
        .map(|bit| 1_u64 << bit)
        .chain((0..10_000).map(|_| random.u64(..)));
    for hash in hashes.chain([0, u64::MAX]) {
        let expected = -(hash.max(1) as f64 / 2.0_f64.powi(64)).ln();
        let is = waits(hash);
        assert!(
            (is - expected).abs() <= 1e-12 * expected.max(1.0),
            "{hash}: {is} for {expected}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_slot_has_an_owner_in_any_order_and_nobody_is_over_the_bound(
        weights in proptest::collection::btree_map("[a-c]{1,3}", prop_oneof![1..9_u32, Just(u32::MAX)], 1..9),
        slots in 0..300_u32,
        bound in 1.0..3.0_f64,
    ) {
        let members: Vec<_> = weights.clone().into_iter().collect();
        let partition = over(&members, slots, bound);
        prop_assert_eq!(partition.iter().count(), slots as usize);
        let total: f64 = weights.values().map(|weight| f64::from(*weight)).sum();
        for (id, weight) in &weights {
            let share = f64::from(slots) * f64::from(*weight) / total;
            prop_assert!(load(&partition, id) as f64 <= (share * bound).ceil().max(share.ceil()));
        }
        let backwards: Vec<_> = members.into_iter().rev().collect();
        prop_assert_eq!(over(&backwards, slots, bound), partition);
    }
}
