//! What threads do to one replica at once, each scene with what must be true of it.
//!
//! A scene is run in one order of its threads at a time: which, and how often, is the test's to say.

use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{Epoch, Error, ErrorKind, Keyspace, Position, Record, Revision, Version};
use shuttle::sync::mpsc;
use shuttle::thread::JoinHandle;
use shuttle::{future, thread};

use crate::entry::Entry;
use crate::entry::quarantine::{LastGood, Quarantined};
use crate::read::view::View;
use crate::read::watch::{Cause, Watch};
use crate::reader::Reader;
use crate::replica::Replica;
use crate::replica::delta::Delta;
use crate::replica::subscribers::Interest;
use crate::threads::{all_end, begin};

type Map = Arc<Replica<String, u64>>;

/// The keys of the map. Each commit writes its revision under all of them, so whoever sees two of them differ, or one of
/// them go back, has seen what never was.
const KEYS: [&str; 2] = ["a", "b"];

fn at(revision: u64) -> Position {
    Position::new(Epoch::new(1), Revision(revision))
}

fn replica() -> Map {
    let replica = Replica::new(Keyspace::new("scene").unwrap_or_else(|error| panic!("{error}")));
    Arc::new(replica)
}

/// Publishes the commits up to `last`, as the applier does: one after the other, from one thread.
fn publish(map: &Map, last: u64) {
    for revision in 1..=last {
        let mut state = map.state().successor();
        let mut delta = Delta::new();
        for key in KEYS {
            let record = Record::new(key, "", Revision(1), Revision(revision));
            let entry = Entry::new(&record, Epoch::new(1), revision);
            let key = Arc::new(key.to_owned());
            delta.push(Arc::clone(&key), Some(Arc::clone(entry.value())));
            state.entries.insert(key, entry);
        }
        state.position = at(revision);
        state.since = Revision(revision);
        state.sequence += 1;
        future::block_on(map.publish(state, delta));
    }
}

fn end(map: &Map) {
    map.end(Error::new(ErrorKind::Closed, "the scene is over"));
}

fn get(map: &Map, key: &str) -> u64 {
    map.get(key).map_or(0, |value| *value)
}

fn view(map: &Map) -> u64 {
    let view = View::new(map.state());
    let values: Vec<u64> = KEYS
        .iter()
        .map(|key| view.get(*key).map_or(0, |value| *value))
        .collect();
    let revision = view.position().revision.0;
    assert!(
        values.iter().all(|value| *value == revision),
        "a view is one revision: {values:?} at {revision}"
    );
    revision
}

/// A `get` shows no less than a view taken before it, and no more than one taken after it; nothing ever goes back.
pub fn a_get_lies_between_the_views_around_it() {
    let map = replica();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            begin(&map, move |map| {
                let before = view(&map);
                let first = get(&map, "a");
                let second = get(&map, "b");
                let after = view(&map);
                let seen = [before, first, second, after];
                assert!(seen.is_sorted(), "{seen:?}");
            })
        })
        .collect();
    publish(&map, 3);
    all_end(readers);
}

/// Which key each of some commits changes, and whether it is there then.
const TURNS: [(&str, bool); 4] = [("a", true), ("b", true), ("a", false), ("b", true)];

/// What stands under a key at a revision: the last of [`TURNS`] that changed it.
fn stood(key: &str, revision: u64) -> Option<u64> {
    let turns = (1..).zip(TURNS).take_while(|(turn, _)| *turn <= revision);
    let last = turns.filter(|(_, (changed, _))| *changed == key).last();
    last.and_then(|(turn, (_, stands))| stands.then_some(turn))
}

/// Publishes [`TURNS`].
fn publish_by_turns(map: &Map) {
    for (revision, (key, stands)) in (1..).zip(TURNS) {
        let mut state = map.state().successor();
        let mut delta = Delta::new();
        let record = Record::new(key, "", Revision(1), Revision(revision));
        let entry = Entry::new(&record, Epoch::new(1), revision);
        let key = Arc::new(key.to_owned());
        delta.push(Arc::clone(&key), stands.then(|| Arc::clone(entry.value())));
        if stands {
            state.entries.insert(key, entry);
        } else {
            state.entries.remove(&key);
        }
        state.position = at(revision);
        state.sequence += 1;
        future::block_on(map.publish(state, delta));
    }
}

/// A `get` shows what stood at one of the revisions between a view before it and one after it, also of a key that the commit
/// which is being applied does not change.
pub fn a_get_shows_what_stood_meanwhile_whichever_key_a_commit_changes() {
    let map = replica();
    let readers = KEYS.map(|key| {
        begin(&map, move |map| {
            let revision = || map.state().position.revision.0;
            for _ in 0..2 {
                let before = revision();
                let seen = map.get(key).map(|value| *value);
                let mut meanwhile = before..=revision();
                let is_known = meanwhile.any(|revision| stood(key, revision) == seen);
                assert!(is_known, "{key} is {seen:?} after {before}");
            }
        })
    });
    publish_by_turns(&map);
    all_end(readers);
}

/// What one thread has seen, another that was told of it sees as well, however either of them looked.
pub fn who_was_told_sees_as_much() {
    let map = replica();
    let (tell, told) = mpsc::channel();
    let teller = begin(&map, move |map| {
        for key in KEYS {
            let _ = tell.send(get(&map, key));
            let _ = tell.send(view(&map));
        }
    });
    let listener = begin(&map, move |map| {
        for (turn, seen) in told.iter().enumerate() {
            let here = match turn % 3 {
                0 => get(&map, "b"),
                1 => view(&map),
                _ => get(&map, "a"),
            };
            assert!(here >= seen, "told of {seen}, saw {here}");
        }
    });
    publish(&map, 3);
    all_end([teller, listener]);
}

/// What one thread has seen, another that was told of it sees as well through a value that it keeps.
pub fn who_was_told_sees_as_much_through_a_cached_key() {
    let map = replica();
    let (tell, told) = mpsc::channel();
    let teller = begin(&map, move |map| {
        for key in KEYS {
            let _ = tell.send(view(&map));
            let _ = tell.send(get(&map, key));
        }
    });
    let listener = {
        let mut cached = Reader::new(Arc::clone(&map)).cached("a");
        thread::spawn(move || {
            let mut last = cached.get().map_or(0, |value| **value);
            for seen in told.iter() {
                let here = cached.get().map_or(0, |value| **value);
                assert!(here >= seen, "told of {seen}, saw {here}");
                assert!(here >= last, "{here} after {last}");
                last = here;
            }
        })
    };
    publish(&map, 3);
    all_end([teller, listener]);
}

/// Who wants the map as it was at one commit is handed that, or hears that it will not come: nobody sleeps for ever.
pub fn who_wants_a_moment_has_it() {
    let map = replica();
    let want = |revision: u64| {
        begin(&map, move |map| {
            let wanted = map.moments().at(at(revision));
            let here = map.state().position.revision.0;
            // What is passed before it was wanted is not kept; what was ended before is not told.
            if here >= revision || map.ended().is_some() {
                return;
            }
            let found = future::block_on(wanted);
            assert_eq!(found.is_ok(), revision <= 2, "{revision}");
            if let Ok(state) = found {
                assert_eq!(state.position, at(revision));
            }
        })
    };
    let wanting = [want(1), want(2), want(3)];
    publish(&map, 2);
    end(&map);
    all_end(wanting);
}

/// Who makes the ring's future before he looks hears of the end, and of what is kept out: no ring is lost.
pub fn no_ring_of_a_bell_is_lost() {
    let map = replica();
    let waiting = [true, false].map(|awaits_the_end| {
        begin(&map, move |map| {
            let bells = map.bells();
            let bell = if awaits_the_end {
                &bells.end
            } else {
                &bells.quarantine
            };
            loop {
                let rung = bell.notified();
                let is_out = !awaits_the_end && !map.state().quarantine.is_empty();
                if is_out || map.has_ended() {
                    return;
                }
                future::block_on(rung);
            }
        })
    });
    publish(&map, 1);
    keep_out(&map, 2);
    end(&map);
    all_end(waiting);
}

/// Publishes a commit that is kept out.
fn keep_out(map: &Map, revision: u64) {
    let mut state = map.state().successor();
    let record = Record::new("a", "", Revision(1), Revision(revision));
    let version = Version::new(Epoch::new(1), Revision(revision));
    let bad = Quarantined::new(&record, version, "bad", LastGood::None);
    state.quarantine.insert(bad.text().clone(), bad);
    state.position = at(revision);
    future::block_on(map.publish(state, Delta::new()));
}

/// How a watch of a scene follows.
#[derive(Clone, Copy, Debug)]
pub enum Follow {
    /// Everything, by the net difference.
    All,
    /// One key.
    Key,
    /// A prefix.
    Prefix,
    /// Each revision, with room for this many.
    Steps(usize),
}

/// A watch that is made while others publish misses nothing, repeats nothing, and hears of the end: no bell is lost.
pub fn a_watch_misses_nothing(follow: Follow) {
    let map = replica();
    let last = 3;
    let watcher = begin(&map, move |map| {
        future::block_on(follow_to_the_end(map, follow, last))
    });
    publish(&map, last);
    end(&map);
    all_end([watcher]);
}

async fn follow_to_the_end(map: Map, follow: Follow, last: u64) {
    let interest = match follow {
        Follow::Key => Interest::Key("a".to_owned()),
        Follow::Prefix => Interest::Prefix(Box::new(|key: &String| key.starts_with('b'))),
        Follow::All | Follow::Steps(_) => Interest::All,
    };
    let mut watch = Watch::new(map, interest);
    if let Follow::Steps(room) = follow {
        watch = watch.every_revision(room);
    }
    let mut shown = watch.catch_up().position().revision.0;
    while let Some(changes) = watch.next().await {
        assert_eq!(
            changes.from().revision.0,
            shown,
            "each begins where the last ended"
        );
        let to = changes.to().revision.0;
        assert!(to > shown, "from {shown} to {to}");
        if changes.cause() == Cause::Step {
            assert_eq!(to, shown + 1, "a step is one commit");
        }
        if matches!(follow, Follow::Steps(room) if room as u64 >= last) && shown > 0 {
            assert_eq!(to, shown + 1, "every revision is shown");
        }
        for change in &changes {
            assert_eq!(change.new_value().map(|new| **new), Some(to));
        }
        shown = to;
    }
    assert_eq!(shown, last, "nothing is missed");
}

/// Who waits for a position is woken when it is reached, and by the end when it never will be.
pub fn who_waits_is_woken() {
    let map = replica();
    let wait = |revision: u64| {
        begin(&map, move |map| {
            let reached = future::block_on(map.reached(at(revision)));
            assert_eq!(reached.is_ok(), revision <= 2, "{revision}");
            if reached.is_ok() {
                assert!(view(&map) >= revision && get(&map, "a") >= revision);
            }
        })
    };
    let waiting = [wait(1), wait(2), wait(3)];
    publish(&map, 2);
    end(&map);
    all_end(waiting);
}

/// Who waits for something missing to be mended is woken by the snapshot that mends it, shown before it is settled.
pub fn who_waits_for_a_mending_is_woken() {
    let map = replica();
    map.doubt();
    let doubts = map.doubts();
    let waiting = begin(&map, move |map| {
        let mended = future::block_on(map.undoubted());
        assert!(mended.is_ok());
        assert_eq!(view(&map), 2);
    });
    publish(&map, 2);
    map.settle(doubts);
    all_end([waiting]);
}

/// Watches come and go while others publish: nobody is held up, and who stays hears everything.
pub fn watches_come_and_go() {
    let map = replica();
    let fickle = begin(&map, move |map| {
        for key in KEYS {
            let mut watch = Watch::new(Arc::clone(&map), Interest::Key(key.to_owned()));
            let _ = watch.try_next();
        }
    });
    let steady = begin(&map, move |map| {
        future::block_on(follow_to_the_end(map, Follow::All, 3))
    });
    publish(&map, 3);
    end(&map);
    all_end([fickle, steady]);
}

/// The same readers on an index that forgets to say that it lags behind the view: the scenes must find that out.
pub fn a_get_lies_between_the_views_around_it_without_the_mark() {
    use crate::ground::sync::ArcSwap;
    use crate::replica::index::{Index, Lookup};

    let shared = Arc::new((ArcSwap::from_pointee(0_u64), Index::<&str, u64>::new()));
    let reader = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let before = *shared.0.load();
            let seen = match shared.1.find("a") {
                Lookup::Level(value) => value.map_or(0, |value| *value),
                Lookup::Behind => *shared.0.load(),
            };
            assert!(
                before <= seen,
                "a get showed {seen} after a view of {before}"
            );
        })
    };
    for revision in 1..=3 {
        shared.0.store(Arc::new(revision));
        shared.1.put(Arc::new("a"), Arc::new(revision));
    }
    all_end([reader]);
}
