//! Readers, while the applier stands still in the middle of its work.
//!
//! No clock decides anything: a key whose hash and order wait holds the applier exactly where it is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::{Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use globe::{Consistency, Globe, MemoryLog, Position};
use rig::text_key::text_key;
use rig::{within, write_many};

const KEYS: usize = 100;
/// How many more it takes until each part of the index has grown, most likely.
const NEWCOMERS: usize = 1_000;
/// The one in the middle, at which the applier is held.
const HELD: usize = 50;
/// Longer than any read takes; only a test that fails waits for it.
const BOUND: Duration = Duration::from_secs(5);

/// Where the applier is held: wherever it hashes or compares the key in the middle.
static HOLD: Hold = Hold {
    applier: Mutex::new(Applier::Free),
    changed: Condvar::new(),
};

thread_local! {
    static IS_READER: Cell<bool> = const { Cell::new(false) };
}

struct Hold {
    applier: Mutex<Applier>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Applier {
    /// It is not held anywhere.
    Free,
    /// It is on its way to the next stop.
    Going,
    Held,
    /// It has applied everything.
    Done,
}

impl Hold {
    fn set(&self, applier: Applier) {
        *self.applier.lock().unwrap() = applier;
        self.changed.notify_all();
    }

    /// Where the applier passes.
    fn pass(&self) {
        let mut applier = self.applier.lock().unwrap();
        if *applier == Applier::Going && !IS_READER.get() {
            *applier = Applier::Held;
            self.changed.notify_all();
            let let_go = |applier: &mut Applier| *applier == Applier::Held;
            drop(self.changed.wait_while(applier, let_go).unwrap());
        }
    }

    /// Waits until the applier is held; false when it is done instead.
    fn holds(&self) -> bool {
        let applier = self.applier.lock().unwrap();
        let is_going = |applier: &mut Applier| *applier == Applier::Going;
        let waited = self.changed.wait_timeout_while(applier, BOUND, is_going);
        let (applier, limit) = waited.unwrap();
        assert!(!limit.timed_out(), "neither held nor done");
        *applier == Applier::Held
    }
}

/// Lets the applier go for good, so that a test that fails ends.
struct LetGo;

impl Drop for LetGo {
    fn drop(&mut self) {
        HOLD.set(Applier::Free);
    }
}

#[derive(Clone, Eq)]
struct Name(String);

impl Name {
    fn pass(&self) {
        if self.0 == name(HELD).0 {
            HOLD.pass();
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.pass();
        self.0 == other.0
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pass();
        self.0.hash(state);
    }
}

text_key!(Name);

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        self.pass();
        self.0.cmp(&other.0)
    }
}

fn name(number: usize) -> Name {
    Name(format!("k{number:03}"))
}

async fn fill(log: &MemoryLog, value: u64) -> Position {
    let entries = (0..KEYS).map(|key| (name(key).0, value.to_string()));
    write_many(log, "numbers", entries).await
}

/// What every way to look shows, key by key: the same, since nothing moves meanwhile.
fn look(map: &Globe<Name, u64>) -> Vec<u64> {
    let view = map.view();
    assert_eq!(map.len(), view.len());
    let keys = (0..KEYS).map(name);
    let shown = keys.map(|key| {
        let shown = *view.get(&key).unwrap();
        let ways = [
            map.get(&key).map(|value| *value),
            map.get_entry(&key).map(|entry| **entry.value()),
            map.watch().catch_up().get(&key).map(|value| *value),
        ];
        assert_eq!(ways, [Some(shown); 3], "{}", key.0);
        assert!(map.contains_key(&key));
        shown
    });
    shown.collect()
}

/// Goes from stop to stop of the applier until it has reached a position, and looks at each; what was seen.
async fn stop_by_stop(map: &Globe<Name, u64>, position: Position) -> Vec<Vec<u64>> {
    let mut seen = Vec::new();
    let reached = map.clone();
    let reached = tokio::spawn(async move {
        let view = reached.view_at(Consistency::AtLeast(position)).await;
        HOLD.set(Applier::Done);
        view.map(drop)
    });
    while HOLD.holds() {
        let (tell, told) = mpsc::channel();
        let reader = map.clone();
        thread::spawn(move || {
            IS_READER.set(true);
            tell.send(look(&reader))
        });
        let shown = told.recv_timeout(BOUND);
        assert!(shown.is_ok(), "a reader was held up, or saw two values");
        seen.push(shown.unwrap());
        HOLD.set(Applier::Going);
    }
    reached.await.unwrap().unwrap();
    seen
}

#[test]
fn reads_are_answered_while_a_commit_or_a_resync_is_half_applied() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let log = MemoryLog::new();
        fill(&log, 1).await;
        let map: Globe<Name, u64> = within("a map is opened", Globe::open(log.clone(), "numbers"))
            .await
            .unwrap();
        let _let_go = LetGo;
        HOLD.set(Applier::Going);
        let position = fill(&log, 2).await;
        let seen = stop_by_stop(&map, position).await;
        // One commit is one step.
        let [before, after] = [1, 2].map(|value| vec![value; KEYS]);
        assert!(seen.iter().all(|seen| [&before, &after].contains(&seen)));
        assert!(
            seen.contains(&after),
            "never held behind the view: {seen:?}"
        );

        // One that is so little that readers are handed what it changes, while the applier is held in the midst of the index.
        HOLD.set(Applier::Going);
        let position = write_many(&log, "numbers", [(name(HELD).0, "7".to_owned())]).await;
        let seen = stop_by_stop(&map, position).await;
        let (before, mut after) = (after.clone(), after);
        after[HELD] = 7;
        assert!(seen.iter().all(|seen| [&before, &after].contains(&seen)));
        assert!(
            seen.contains(&after),
            "never held behind the view: {seen:?}"
        );

        // And in the midst of a part of the index that grows, to which new keys are added until it has.
        for number in 0..NEWCOMERS {
            HOLD.set(Applier::Going);
            let newcomer = format!("n{number:04}");
            let position = write_many(&log, "numbers", [(newcomer, "7".to_owned())]).await;
            let seen = stop_by_stop(&map, position).await;
            assert!(seen.iter().all(|seen| *seen == after));
        }

        log.hold_tails(true);
        let position = fill(&log, 3).await;
        log.compact(position.revision).unwrap();
        HOLD.set(Applier::Going);
        log.hold_tails(false);
        let seen = stop_by_stop(&map, position).await;
        assert_eq!(map.status().resyncs, 1);
        let (before, after) = (after, vec![3; KEYS]);
        assert!(
            seen.contains(&before) && seen.contains(&after),
            "held before and after the view: {seen:?}"
        );
    });
}
