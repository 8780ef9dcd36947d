//! Every scene, in thousands of orders of its threads: by chance, and by few but unlikely changes of turn.
//!
//! When one fails, shuttle prints the schedule; `shuttle::replay` runs it again.

use globe_shuttle_tests::scenes::{self, Follow};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Orders tried of each scene and kind.
const ORDERS: usize = 2_000;

/// Unlikely changes of turn in one order.
const TURNS: usize = 3;

fn config() -> Config {
    let mut config = Config::new();
    config.silence_warnings = true;
    config
}

fn in_every_order(scene: impl Fn() + Clone + Send + Sync + 'static) {
    Runner::new(RandomScheduler::new(ORDERS), config()).run(scene.clone());
    Runner::new(PctScheduler::new(TURNS, ORDERS), config()).run(scene);
}

#[test]
fn a_get_lies_between_the_views_around_it() {
    in_every_order(scenes::a_get_lies_between_the_views_around_it);
}

#[test]
fn a_get_shows_what_stood_meanwhile_whichever_key_a_commit_changes() {
    in_every_order(scenes::a_get_shows_what_stood_meanwhile_whichever_key_a_commit_changes);
}

#[test]
fn who_was_told_sees_as_much() {
    in_every_order(scenes::who_was_told_sees_as_much);
}

#[test]
fn who_was_told_sees_as_much_through_a_cached_key() {
    in_every_order(scenes::who_was_told_sees_as_much_through_a_cached_key);
}

#[test]
fn who_wants_a_moment_has_it() {
    in_every_order(scenes::who_wants_a_moment_has_it);
}

#[test]
fn no_ring_of_a_bell_is_lost() {
    in_every_order(scenes::no_ring_of_a_bell_is_lost);
}

#[test]
fn a_watch_of_everything_misses_nothing() {
    in_every_order(|| scenes::a_watch_misses_nothing(Follow::All));
}

#[test]
fn a_watch_of_one_key_misses_nothing() {
    in_every_order(|| scenes::a_watch_misses_nothing(Follow::Key));
}

#[test]
fn a_watch_of_a_prefix_misses_nothing() {
    in_every_order(|| scenes::a_watch_misses_nothing(Follow::Prefix));
}

#[test]
fn a_watch_of_each_revision_misses_nothing() {
    in_every_order(|| scenes::a_watch_misses_nothing(Follow::Steps(8)));
}

#[test]
fn a_watch_of_each_revision_that_is_overrun_misses_nothing() {
    in_every_order(|| scenes::a_watch_misses_nothing(Follow::Steps(1)));
}

#[test]
fn who_waits_is_woken() {
    in_every_order(scenes::who_waits_is_woken);
}

#[test]
fn who_waits_for_a_mending_is_woken() {
    in_every_order(scenes::who_waits_for_a_mending_is_woken);
}

#[test]
fn watches_come_and_go() {
    in_every_order(scenes::watches_come_and_go);
}

#[test]
#[should_panic(expected = "after a view of")]
fn an_index_without_its_mark_is_found_out() {
    in_every_order(scenes::a_get_lies_between_the_views_around_it_without_the_mark);
}
