//! A small history in which all is well.
//!
//! Nothing is planted in it.

use super::scribe::*;
use super::*;

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

pub(super) fn transact(reads: Vec<(Place, Option<Value>)>, writes: Vec<Place>) -> Action {
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
    let stood = Stood {
        created: 7,
        modified: 8,
    };
    let found = vec![(key("k0"), Some(stood))];
    scribe.op(
        Action::PutIf(key("k0"), 7),
        "g",
        Outcome::Conflict(position(8), found),
    );
    scribe.op(Action::Put(key("k1")), "h", Outcome::Indeterminate);
}

pub(super) fn good() -> History {
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
