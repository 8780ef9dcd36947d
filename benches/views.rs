//! All of a map at one moment: to take it, to walk it or a part of it, and to find what has changed; beside the store of a
//! Kubernetes controller, which hands out a list: prints rows of a Markdown table.
//!
//! It is meant for `scripts/bench`. Nobody writes meanwhile.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use globe::{Globe, View};
use globe_bench::{
    Contest, Done, Reflected, Unit, filled, key, print_head, report_contest, rounds, sizes,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube_runtime::reflector::Store;

/// How often each is measured, and how often what is short is done in a round.
const ROUNDS: usize = 51;
const TIMES: usize = 2_000;

/// How many entries the range holds, and what those begin with that the prefix holds: 256 of them.
const RANGE: (usize, usize) = (500, 600);
const PREFIX: &str = "service/00000000000000";

/// How many entries change.
const CHANGES: usize = 100;

fn main() -> Done {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    print_head(contest().names());
    for (size, entries) in sizes() {
        let (_log, globe) = runtime.block_on(filled(*entries))?;
        let mut reflected = Reflected::filled(*entries);
        let pair = Pair {
            globe,
            store: reflected.store(),
        };
        for (what, contest) in [
            ("all at one moment", pair.taking()),
            ("all at one moment, and a look at each", pair.walking()),
            ("a range of 100", pair.range()),
            ("a prefix of 256", pair.prefix()),
        ] {
            report_contest("views", &format!("{size} keys: {what}"), &contest);
        }
        let old = (pair.globe.view(), pair.store.state());
        // Spread over all of it: the worst case of a difference.
        let changed = (0..CHANGES).map(|number| key(number * (entries / CHANGES)));
        let changed: Vec<String> = changed.collect();
        let puts = changed.iter().map(|key| (key.clone(), 1));
        runtime.block_on(pair.globe.put_all(puts))?;
        changed.iter().for_each(|key| reflected.put(key, 1));
        let contest = pair.differing(&old.0, &old.1)?;
        let figure = format!("{size} keys: what {CHANGES} changes were");
        report_contest("views", &figure, &contest);
    }
    Ok(())
}

fn contest() -> Contest {
    Contest::of(Unit::Time, ["Globe", "kube Store"])
}

/// A map, and its peer with the same content.
struct Pair {
    globe: Globe<String, u64>,
    store: Store<ConfigMap>,
}

impl Pair {
    fn taking(&self) -> Contest {
        let view = || {
            for _ in 0..TIMES {
                black_box(self.globe.view());
            }
            TIMES
        };
        compare(view, once(|| self.store.state().len()))
    }

    fn walking(&self) -> Contest {
        let view = || sum(self.globe.view().iter().map(|(_, entry)| entry.value()));
        compare(once(view), once(|| look(&self.store.state())))
    }

    fn range(&self) -> Contest {
        let range = key(RANGE.0)..key(RANGE.1);
        let view = || {
            let view = self.globe.view();
            let values = view.range(range.clone());
            sum(values.map(|(_, entry)| entry.value()))
        };
        let is_in = |name: &str| *range.start <= *name && *name < *range.end;
        compare(often(view), once(|| self.those(is_in)))
    }

    fn prefix(&self) -> Contest {
        let view = || {
            let view = self.globe.view();
            let values = view.prefix(PREFIX);
            sum(values.map(|(_, entry)| entry.value()))
        };
        let is_in = |name: &str| name.starts_with(PREFIX);
        compare(often(view), once(|| self.those(is_in)))
    }

    /// A look at the objects with such names. The store has no order: it looks at all names.
    fn those(&self, is_in: impl Fn(&str) -> bool) -> usize {
        look(&self.store.state_filter(|object| is_in(name(object))))
    }

    /// What has changed since, found in what is at hand of then and now. Of the store it is found by hand, with what was there then laid out by
    /// name beforehand.
    fn differing(&self, old: &View<String, u64>, listed: &[Arc<ConfigMap>]) -> Done<Contest> {
        let (new, now) = (self.globe.view(), self.store.state());
        let listed = listed.iter().map(|object| (name(object), object));
        let then: HashMap<&str, &Arc<ConfigMap>> = listed.collect();
        let differs = |object: &&Arc<ConfigMap>| {
            let before = then.get(name(object));
            !before.is_some_and(|before| Arc::ptr_eq(before, object))
        };
        let by_hand = || {
            now.iter()
                .filter(differs)
                .cloned()
                .collect::<Vec<_>>()
                .len()
        };
        let found = (new.diff(old).len(), by_hand());
        if found != (CHANGES, CHANGES) {
            return Err(format!("found {found:?} of {CHANGES} changes").into());
        }
        Ok(compare(often(|| new.diff(old).len()), once(by_hand)))
    }
}

fn compare(mut ours: impl FnMut() -> usize, mut peer: impl FnMut() -> usize) -> Contest {
    let mut contest = contest();
    contest.time(rounds(ROUNDS).max(5), &mut [&mut ours, &mut peer]);
    contest
}

/// What takes long: once in a round.
fn once<T>(mut work: impl FnMut() -> T) -> impl FnMut() -> usize {
    move || {
        black_box(work());
        1
    }
}

/// What is short: some times in a round.
fn often<T>(mut work: impl FnMut() -> T) -> impl FnMut() -> usize {
    move || {
        for _ in 0..TIMES / 100 {
            black_box(work());
        }
        TIMES / 100
    }
}

fn sum<'a>(values: impl Iterator<Item = &'a Arc<u64>>) -> u64 {
    values.map(|value| **value).sum()
}

/// How many objects hold something: looks at each of them.
fn look(objects: &[Arc<ConfigMap>]) -> usize {
    let filled = objects.iter().filter(|object| object.data.is_some());
    filled.count()
}

fn name(object: &ConfigMap) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}
