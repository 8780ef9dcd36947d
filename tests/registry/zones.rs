//! Zones: what stays near, and what spills.

use globe::registry::Pick;
use globe::{MemoryLog, Registry};

use crate::rig::{until, within, write_many};
use crate::{SERVICE, picks};

/// A registry in zone `a`, of so many members in zones `a`, `b`, `c` and in none.
async fn zoned(zone: Option<&str>, counts: [usize; 4]) -> Registry<u16> {
    let log = MemoryLog::new();
    let names = ["a", "b", "c", ""];
    let mut all = Vec::new();
    for (name, count) in names.into_iter().zip(counts) {
        for number in 0..count {
            let record = match name {
                "" => r#"{"data":80}"#.to_owned(),
                name => format!(r#"{{"data":80,"zone":"{name}"}}"#),
            };
            all.push((format!("{SERVICE}/{name}{number}"), record));
        }
    }
    let total = all.len();
    write_many(&log, "services", all).await;
    let builder = Registry::builder(log, "services");
    let builder = match zone {
        Some(zone) => builder.zone(zone),
        None => builder,
    };
    let registry = within("it opens", builder.open()).await.unwrap();
    until("all are listed", || {
        registry.members(SERVICE).len() == total
    })
    .await;
    registry
}

/// The share of the picks that are in zone `a`, in hundredths.
async fn near(zone: Option<&str>, counts: [usize; 4], pick: Pick) -> usize {
    let registry = zoned(zone, counts).await;
    let picks = picks(&registry.picker(SERVICE, pick), 20_000);
    let near = picks.iter().filter(|(id, _)| id.starts_with('a'));
    near.map(|(_, count)| count).sum::<usize>() / 200
}

#[tokio::test(start_paused = true)]
async fn requests_stay_in_a_zone_that_has_enough_and_the_rest_spills() {
    let ways = [
        Pick::RoundRobin,
        Pick::Random,
        Pick::TwoChoices,
        Pick::Weighted,
    ];
    for pick in ways {
        let table = [
            (Some("a"), [10, 10, 10, 0], 100),
            // 0.7 of its fair share: 7 of 30, in three zones.
            (Some("a"), [7, 11, 12, 0], 100),
            (Some("a"), [3, 13, 14, 0], 42),
            (Some("a"), [0, 10, 10, 0], 0),
            (Some("a"), [5, 0, 0, 5], 100),
            (Some("elsewhere"), [10, 10, 10, 0], 33),
            (None, [10, 10, 10, 0], 33),
        ];
        for (zone, counts, expected) in table {
            let found = near(zone, counts, pick).await;
            assert!(
                found.abs_diff(expected) <= 2,
                "{pick:?} {counts:?}: {found} %"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_zone_in_which_all_fail_is_left_for_another() {
    let registry = zoned(Some("a"), [2, 2, 2, 0]).await;
    let picker = registry.picker(SERVICE, Pick::TwoChoices);
    for _ in 0..2 {
        let picked = picker.pick().unwrap();
        assert!(picked.id.starts_with('a'));
        picked.failed();
    }
    let picks = picks(&picker, 100);
    assert!(picks.keys().all(|id| !id.starts_with('a')), "{picks:?}");
}

/// Two processes in two zones agree.
#[tokio::test(start_paused = true)]
async fn a_key_belongs_to_one_member_whatever_the_zone() {
    let (here, there) = (
        zoned(Some("a"), [3, 3, 3, 3]).await,
        zoned(Some("b"), [3, 3, 3, 3]).await,
    );
    let pickers = [here, there].map(|registry| registry.picker(SERVICE, Pick::Hash));
    for key in 0..200_u32 {
        let [one, other] = pickers
            .each_ref()
            .map(|picker| picker.pick_for(&key.to_le_bytes()));
        assert_eq!(one.unwrap().id, other.unwrap().id);
    }
}
