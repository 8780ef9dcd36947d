//! Each checker finds what it is there to find: a small history in which all is well, and one lie planted in it at a time.
//!
//! Nothing runs here: the histories are made by hand.

use globe::{Epoch, Position, Revision};

use super::{check_all, names};
use crate::history::*;

fn at(tick: u64) -> At {
    At {
        tick,
        micros: tick * 1_000,
    }
}

fn position(revision: u64) -> Position {
    Position::new(Epoch(1), Revision(revision))
}

fn key(key: &str) -> Place {
    Place {
        keyspace: "first".into(),
        key: key.into(),
    }
}

fn version(tag: &str, created: u64, modified: u64) -> Version {
    Version {
        tag: tag.into(),
        created,
        modified,
    }
}

fn stored(tag: &str, created: u64, modified: u64) -> Stored {
    Stored {
        value: Value {
            tag: tag.into(),
            ..Value::default()
        },
        created,
        modified,
    }
}

fn list(tags: &[&str]) -> Value {
    Value {
        tag: (*tags.last().unwrap()).into(),
        amount: 0,
        list: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

/// Writes a history down, one thing after the other.
#[derive(Default)]
struct Scribe {
    tick: u64,
    events: Vec<Event>,
}

impl Scribe {
    fn now(&mut self) -> At {
        self.tick += 1;
        at(self.tick)
    }

    fn base(&mut self, keyspace: &str) {
        let at = self.now();
        self.events.push(Event::Base(Base {
            member: "log".into(),
            keyspace: keyspace.into(),
            position: position(1),
            records: Vec::new(),
            at,
        }));
    }

    fn op(&mut self, action: Action, tag: &str, outcome: Outcome) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::Op(Op {
            client: 0,
            node: 0,
            action,
            tags: (!tag.is_empty())
                .then(|| tag.to_owned())
                .into_iter()
                .collect(),
            call,
            ret: Some(ret),
            outcome,
        }));
    }

    fn truth(&mut self, keyspace: &str, revision: u64, changes: &[(&str, Option<Stored>)]) {
        let at = self.now();
        let changes = changes.iter();
        self.events.push(Event::Truth(Truth {
            member: "log".into(),
            keyspace: keyspace.into(),
            position: position(revision),
            changes: changes
                .map(|(key, stored)| ((*key).into(), stored.clone()))
                .collect(),
            at,
        }));
    }

    fn opened(&mut self, watch: u32, mode: Mode) {
        let at = self.now();
        self.events.push(Event::Opened(Opened {
            watch,
            node: 0,
            keyspace: "first".into(),
            filter: Filter::All,
            mode,
            rest_micros: 0,
            position: position(1),
            shown: Vec::new(),
            at,
        }));
    }

    fn delivered(&mut self, revision: u64, changes: &[(&str, Option<Version>, Option<Version>)]) {
        for watch in [0, 1] {
            let at = self.now();
            let changes = changes.iter().map(|(key, old, new)| Moved {
                key: (*key).into(),
                old: old.clone(),
                new: new.clone(),
                revision,
            });
            self.events.push(Event::Delivered(Delivered {
                watch,
                from: position(revision - 1),
                to: position(revision),
                cause: Cause::Step,
                changes: changes.collect(),
                at,
            }));
        }
    }

    fn sample(&mut self, keyspace: &str, read: Read) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::Sample(Sample {
            reader: 9,
            node: 0,
            keyspace: keyspace.into(),
            call,
            ret,
            read,
        }));
    }

    fn fault(&mut self, effect: Effect) {
        let at = self.now();
        let what = format!("{effect:?}");
        self.events.push(Event::Fault(Fault { what, effect, at }));
    }

    fn health(&mut self, keyspace: &str) {
        let (call, ret) = (self.now(), self.now());
        self.events.push(Event::Health(Health {
            node: 0,
            keyspace: keyspace.into(),
            is_live: true,
            staleness_micros: Some(0),
            position: position(8),
            resyncs: 0,
            violations: 0,
            call,
            ret,
        }));
    }

    fn gauge(&mut self, value: u64) {
        let at = self.now();
        self.events.push(Event::Gauge(Gauge {
            what: "tasks".into(),
            value,
            tolerance: 2,
            at,
        }));
    }
}

fn run() -> Event {
    Event::Run(Run {
        seed: 1,
        nodes: 1,
        fenced: true,
        honest: true,
        limits: Limits {
            detection_micros: 3_000,
            min_writes: 5,
            min_samples: 4,
            min_deliveries: 5,
            min_faults: 1,
            ..Limits::default()
        },
    })
}

fn transact(reads: Vec<(Place, Option<Value>)>, writes: Vec<Place>) -> Action {
    Action::Transact { reads, writes }
}

fn append(scribe: &mut Scribe, revision: u64, before: Option<Value>, after: Value) {
    let old = before
        .as_ref()
        .map(|old| version(&old.tag, 4, revision - 1));
    let tag = after.tag.clone();
    let action = transact(vec![(key("list-0-0"), before)], vec![key("list-0-0")]);
    scribe.op(action, &tag, Outcome::Done(None));
    let stored = Stored {
        value: after,
        created: 4,
        modified: revision,
    };
    let new = version(&tag, 4, revision);
    scribe.truth("first", revision, &[("list-0-0", Some(stored))]);
    scribe.delivered(revision, &[("list-0-0", old, Some(new))]);
}

fn writes(scribe: &mut Scribe) {
    let done = |revision| Outcome::Done(Some(position(revision)));
    scribe.op(Action::Put(key("k0")), "a", done(2));
    scribe.truth("first", 2, &[("k0", Some(stored("a", 2, 2)))]);
    scribe.delivered(2, &[("k0", None, Some(version("a", 2, 2)))]);
    scribe.sample("first", Read::Get("k0".into(), Some("a".into())));
    scribe.sample(
        "first",
        Read::View(position(2), vec![("k0".into(), version("a", 2, 2))]),
    );
    let twin = |twin: &str| (twin.to_owned(), version("b", 3, 3));
    let action = transact(vec![], vec![key("twin-a"), key("twin-b")]);
    scribe.op(action, "b", Outcome::Done(None));
    let b = || Some(stored("b", 3, 3));
    scribe.truth("first", 3, &[("twin-a", b()), ("twin-b", b())]);
    let b = || Some(version("b", 3, 3));
    scribe.delivered(3, &[("twin-a", None, b()), ("twin-b", None, b())]);
    let shown = vec![
        ("k0".into(), version("a", 2, 2)),
        twin("twin-a"),
        twin("twin-b"),
    ];
    scribe.sample("first", Read::View(position(3), shown));
    append(scribe, 4, None, list(&["c"]));
    append(scribe, 5, Some(list(&["c"])), list(&["c", "d"]));
    scribe.op(Action::Delete(key("k0")), "", Outcome::Done(None));
    scribe.truth("first", 6, &[("k0", None)]);
    scribe.delivered(6, &[("k0", Some(version("a", 2, 2)), None)]);
    scribe.op(Action::Create(key("k0")), "e", done(7));
    scribe.truth("first", 7, &[("k0", Some(stored("e", 7, 7)))]);
    scribe.delivered(7, &[("k0", None, Some(version("e", 7, 7)))]);
    scribe.op(Action::PutIf(key("k0"), 7), "f", done(8));
    scribe.truth("first", 8, &[("k0", Some(stored("f", 7, 8)))]);
    scribe.delivered(
        8,
        &[("k0", Some(version("e", 7, 7)), Some(version("f", 7, 8)))],
    );
    let found = vec![(key("k0"), Some(version("f", 7, 8)))];
    scribe.op(
        Action::PutIf(key("k0"), 7),
        "g",
        Outcome::Conflict(position(8), found),
    );
    scribe.op(Action::Put(key("k1")), "h", Outcome::Indeterminate);
}

fn good() -> History {
    let mut scribe = Scribe::default();
    scribe.events.push(run());
    scribe.gauge(5);
    scribe.base("first");
    scribe.base("second");
    scribe.opened(0, Mode::EveryRevision(1_000_000));
    scribe.opened(1, Mode::Latest);
    writes(&mut scribe);
    scribe.truth("second", 8, &[]);
    let done = || Outcome::Done(Some(position(8)));
    scribe.op(Action::Sync("first".into()), "", done());
    let view_at = |asked| Action::ViewAt("first".into(), asked);
    scribe.op(view_at(Asked::AtLeast(position(8))), "", done());
    scribe.op(view_at(Asked::Within(1_000)), "", done());
    scribe.fault(Effect::CutsOff(0));
    scribe.now();
    scribe.now();
    scribe.now();
    scribe.now();
    scribe.fault(Effect::Reconnects(0));
    scribe.fault(Effect::HealsAll);
    let shown = vec![
        ("k0".into(), version("f", 7, 8)),
        ("list-0-0".into(), version("d", 4, 5)),
        ("twin-a".into(), version("b", 3, 3)),
        ("twin-b".into(), version("b", 3, 3)),
    ];
    scribe.health("first");
    scribe.health("second");
    scribe.sample("first", Read::Final(position(8), shown));
    scribe.sample("second", Read::Final(position(8), Vec::new()));
    for watch in [0, 1] {
        let at = scribe.now();
        scribe.events.push(Event::Ended(Ended { watch, at }));
    }
    scribe.gauge(6);
    History {
        events: scribe.events,
    }
}

/// Plants something in the good history, and demands that one checker finds it.
fn planted(check: &str, plant: impl Fn(&mut Event)) {
    assert!(
        names().any(|name| name == check),
        "there is no check {check}"
    );
    let mut history = good();
    history.events.iter_mut().for_each(plant);
    assert_ne!(history, good(), "nothing was planted");
    let found = check_all(&history);
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

#[test]
fn a_history_in_which_all_is_well_passes() {
    assert_eq!(check_all(&good()), []);
}

#[test]
fn a_change_that_a_watch_lost_is_found() {
    planted(
        "delivery",
        delivered(|step| step.changes.retain(|moved| moved.key != "twin-b")),
    );
}

#[test]
fn a_change_that_a_watch_invented_is_found() {
    let moved = Moved {
        key: "k3".into(),
        old: None,
        new: Some(version("x", 5, 5)),
        revision: 5,
    };
    planted(
        "delivery",
        delivered(|step| {
            if step.to == position(5) {
                step.changes.push(moved.clone());
            }
        }),
    );
}

#[test]
fn a_delete_without_the_old_value_is_found() {
    planted(
        "delivery",
        delivered(|step| {
            if step.to == position(6) {
                step.changes[0].old = None;
            }
        }),
    );
}

#[test]
fn a_step_told_twice_is_found() {
    planted(
        "delivery",
        delivered(|step| {
            if step.to == position(5) {
                (step.from, step.to) = (position(3), position(4));
            }
        }),
    );
}

#[test]
fn a_revision_that_was_coalesced_though_each_was_wanted_is_found() {
    planted(
        "delivery",
        delivered(|step| {
            if step.to == position(7) {
                step.cause = Cause::Coalesced;
            }
        }),
    );
}

#[test]
fn a_watch_that_never_ended_is_found() {
    let mut history = good();
    history
        .events
        .retain(|event| !matches!(event, Event::Ended(_)));
    assert!(
        check_all(&history)
            .iter()
            .any(|found| found.check == "delivery")
    );
}

#[test]
fn a_resync_claimed_without_one_is_found() {
    planted("resync", delivered(|step| step.cause = Cause::Resync));
}

#[test]
fn an_honest_log_that_is_accused_is_found() {
    planted("resync", |event| {
        if let Event::Health(health) = event {
            health.violations = 1;
        }
    });
}

#[test]
fn a_torn_transaction_is_found() {
    planted(
        "visibility",
        sample(|read| {
            if let Read::View(_, shown) = read {
                shown.retain(|(key, _)| key != "twin-b");
            }
        }),
    );
}

#[test]
fn a_view_of_another_revision_than_it_names_is_found() {
    planted(
        "visibility",
        sample(|read| {
            if let Read::View(there, _) = read {
                *there = position(4);
            }
        }),
    );
}

#[test]
fn a_read_that_goes_back_is_found() {
    planted(
        "monotonic",
        sample(|read| match read {
            Read::View(there, shown) if *there == position(3) => {
                *there = position(1);
                shown.clear();
            }
            _ => {}
        }),
    );
}

#[test]
fn a_write_that_its_own_node_does_not_show_is_found() {
    planted(
        "own writes",
        sample(|read| {
            if let Read::Get(_, found) = read {
                *found = Some("never".into());
            }
            if let Read::View(there, _) = read {
                *there = position(1);
            }
        }),
    );
}

#[test]
fn a_position_waited_for_and_not_seen_is_found() {
    planted("causal", |event| match event {
        Event::Op(op) if matches!(op.action, Action::ViewAt(_, Asked::AtLeast(_))) => {
            op.outcome = Outcome::Done(Some(position(7)));
        }
        _ => {}
    });
}

#[test]
fn a_view_older_than_was_asked_for_is_found() {
    planted("causal", |event| match event {
        Event::Op(op) if matches!(op.action, Action::ViewAt(_, Asked::Within(_))) => {
            op.outcome = Outcome::Done(Some(position(4)));
        }
        _ => {}
    });
}

#[test]
fn a_linearizable_read_of_the_past_is_found() {
    planted("linearizable", |event| match event {
        Event::Op(op) if matches!(op.action, Action::Sync(_)) => {
            op.outcome = Outcome::Done(Some(position(7)));
        }
        _ => {}
    });
}

#[test]
fn a_linearizable_read_of_the_future_is_found() {
    planted("linearizable", |event| match event {
        Event::Op(op) if matches!(op.action, Action::Sync(_)) => {
            (op.call, op.ret) = (at(0), Some(at(1)));
        }
        _ => {}
    });
}

#[test]
fn a_write_ordered_before_one_that_had_ended_is_found() {
    planted(
        "linearizable",
        op("f", |op| (op.call, op.ret) = (at(400), Some(at(401)))),
    );
    planted(
        "linearizable",
        op("a", |op| (op.call, op.ret) = (at(400), Some(at(401)))),
    );
}

#[test]
fn a_guard_that_did_not_hold_is_found() {
    planted(
        "compare-and-swap",
        op("f", |op| op.action = Action::PutIf(key("k0"), 6)),
    );
    planted(
        "compare-and-swap",
        op("d", |op| {
            op.action = transact(vec![(key("list-0-0"), None)], vec![key("list-0-0")])
        }),
    );
}

#[test]
fn a_conflict_that_was_none_is_found() {
    planted(
        "compare-and-swap",
        op("g", |op| op.action = Action::PutIf(key("k0"), 8)),
    );
}

#[test]
fn what_no_order_explains_is_found_without_revisions() {
    planted(
        "registers",
        op("e", |op| {
            op.action = Action::Update(key("k0"), Some("a".into()));
        }),
    );
}

#[test]
fn a_cycle_of_transactions_is_found_without_revisions() {
    // The later one read the list without the element of the earlier, which had ended.
    planted(
        "serializable",
        op("d", |op| (op.call, op.ret) = (at(1), Some(at(2)))),
    );
}

#[test]
fn a_list_that_never_was_is_found() {
    planted(
        "serializable",
        op("d", |op| {
            op.action = transact(
                vec![(key("list-0-0"), Some(list(&["z"])))],
                vec![key("list-0-0")],
            );
        }),
    );
}

#[test]
fn an_acknowledged_write_that_is_missing_is_found() {
    planted("exactly once", op("a", |op| op.tags = vec!["lost".into()]));
    planted("exactly once", op("b", |op| op.tags = vec!["lost".into()]));
}

#[test]
fn a_write_that_landed_twice_is_found() {
    planted(
        "exactly once",
        truth(7, |truth| {
            truth.changes.push(("k0".into(), Some(stored("a", 7, 7))));
        }),
    );
}

#[test]
fn a_refused_write_that_landed_is_found() {
    planted(
        "exactly once",
        op("a", |op| {
            op.outcome = Outcome::Refused("log unavailable".into())
        }),
    );
    planted("exactly once", op("a", |op| op.tags.push("second".into())));
}

#[test]
fn half_a_transaction_is_found() {
    planted("exactly once", |event| {
        op("b", |op| op.outcome = Outcome::Indeterminate)(event);
        truth(3, |truth| truth.changes.truncate(1))(event);
    });
}

#[test]
fn a_delete_that_nobody_made_is_found() {
    planted(
        "exactly once",
        truth(7, |truth| truth.changes = vec![("twin-a".into(), None)]),
    );
}

#[test]
fn a_write_that_lands_after_it_was_reported_as_unknown_is_found() {
    planted("ghosts", |event| {
        op("h", |op| (op.call, op.ret) = (at(1), Some(at(2))))(event);
        truth(8, |truth| {
            if truth.keyspace == "first" {
                truth.changes.push(("k1".into(), Some(stored("h", 8, 8))));
            }
        })(event);
    });
}

#[test]
fn an_age_that_is_under_reported_is_found() {
    planted("staleness", |event| {
        if let Event::Health(health) = event {
            health.position = position(3);
            health.is_live = false;
        }
    });
}

#[test]
fn a_node_that_calls_itself_live_while_it_is_cut_off_is_found() {
    planted("staleness", |event| match event {
        Event::Fault(fault) if fault.effect == Effect::Reconnects(0) => {
            fault.effect = Effect::Disturbs
        }
        Event::Fault(fault) if fault.effect == Effect::HealsAll => fault.effect = Effect::Disturbs,
        _ => {}
    });
}

#[test]
fn a_node_that_never_comes_back_is_found() {
    planted("liveness", |event| {
        if let Event::Health(health) = event {
            health.is_live = false;
        }
    });
}

#[test]
fn what_grows_is_found() {
    planted("leaks", |event| match event {
        Event::Gauge(gauge) if gauge.value == 6 => gauge.value = 8,
        _ => {}
    });
}

#[test]
fn a_watch_that_is_held_up_is_found() {
    planted(
        "isolation",
        delivered(|step| {
            if step.to == position(3) {
                step.at.micros += 1_000_000;
            }
        }),
    );
}

#[test]
fn a_node_that_ends_elsewhere_than_the_log_is_found() {
    planted(
        "convergence",
        sample(|read| {
            if let Read::Final(_, shown) = read {
                shown.pop();
            }
        }),
    );
}

#[test]
fn members_that_disagree_are_found() {
    let mut history = good();
    for event in good().events {
        match event {
            Event::Base(mut base) => {
                base.member = "other".into();
                history.events.push(Event::Base(base));
            }
            Event::Truth(mut truth) if truth.position != position(5) => {
                truth.member = "other".into();
                history.events.push(Event::Truth(truth));
            }
            _ => {}
        }
    }
    assert!(
        check_all(&history)
            .iter()
            .any(|found| found.check == "truth")
    );
}

#[test]
fn an_invariant_that_the_log_broke_is_found() {
    planted("truth", truth(3, |truth| truth.changes.truncate(1)));
}

#[test]
fn a_run_that_did_too_little_is_found() {
    planted("enough", |event| {
        if let Event::Run(run) = event {
            run.limits.min_writes = 1_000;
        }
    });
}
