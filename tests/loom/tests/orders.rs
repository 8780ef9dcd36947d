//! Every scene, in every order that matters.

use globe_loom_tests::scenes;

/// Changes of turn in one run that no thread asked for. Two are known to find nearly everything.
const TURNS: usize = 3;

fn in_every_order(scene: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(TURNS);
    model.check(scene);
}

#[test]
fn a_get_lies_between_the_views_around_it() {
    in_every_order(scenes::a_get_lies_between_the_views_around_it);
}

#[test]
fn gets_never_go_back() {
    in_every_order(scenes::gets_never_go_back);
}

#[test]
fn who_was_told_sees_as_much() {
    in_every_order(scenes::who_was_told_sees_as_much);
}
