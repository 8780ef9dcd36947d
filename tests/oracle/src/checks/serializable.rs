//! Transactions are strictly serialisable: no cycle of who came before whom, by what the lists themselves tell and by
//! real time.
//!
//! It never looks at a revision: a list tells the order of its writers, and a reader of it where it stood among them.

use std::collections::{BTreeMap, HashMap};

use super::timeline::Timeline;
use crate::history::{Action, History, Op, Outcome, Place, Value};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    // Another life of the log may begin with shorter lists: then there is no one order.
    if timeline.epochs() != 1 {
        return Vec::new();
    }
    let lists = lists(timeline);
    let mut graph = Graph::default();
    let mut wrong = Vec::new();
    let committed: Vec<(&Op, &Reads)> = committed(history, timeline).collect();
    let mut appenders = HashMap::new();
    for (index, (op, _)) in committed.iter().enumerate() {
        if let Some(tag) = op.tags.last() {
            appenders.insert(tag.as_str(), index);
        }
    }
    for tags in lists.values() {
        for pair in tags.windows(2) {
            let pair = (
                appenders.get(pair[0].as_str()),
                appenders.get(pair[1].as_str()),
            );
            if let (Some(first), Some(second)) = pair {
                graph.add(*first, *second);
            }
        }
    }
    for (index, (op, reads)) in committed.iter().enumerate() {
        for (place, value) in *reads {
            let seen = value
                .as_ref()
                .map_or(&[][..], |value| value.list.as_slice());
            let whole = lists.get(place).map_or(&[][..], Vec::as_slice);
            if !whole.starts_with(seen) {
                wrong.push(format!(
                    "client {} read a list {place:?} that never was: {seen:?}",
                    op.client
                ));
                continue;
            }
            let before = seen.last().and_then(|tag| appenders.get(tag.as_str()));
            let after = whole
                .get(seen.len())
                .and_then(|tag| appenders.get(tag.as_str()));
            before
                .into_iter()
                .for_each(|before| graph.add(*before, index));
            after.into_iter().for_each(|after| graph.add(index, *after));
        }
    }
    graph.add_real_time(committed.iter().map(|(op, _)| *op));
    let cycle = graph.cycle(committed.len());
    if !cycle.is_empty() {
        let named = cycle.iter().filter_map(|index| committed.get(*index));
        let tags: Vec<&str> = named
            .filter_map(|(op, _)| op.tags.last().map(String::as_str))
            .collect();
        wrong.push(format!("each of these transactions came before the next, and the last before the first: {tags:?}"));
    }
    wrong
}

/// The longest state of every list.
fn lists(timeline: &Timeline) -> BTreeMap<Place, Vec<String>> {
    let mut lists = BTreeMap::new();
    for keyspace in timeline.keyspaces() {
        let Some(stretch) = timeline.newest(keyspace) else {
            continue;
        };
        for (key, stored) in stretch.last_state() {
            let place = Place {
                keyspace: keyspace.clone(),
                key: key.clone(),
            };
            lists.insert(place, stored.value.list.clone());
        }
    }
    lists
}

type Reads = [(Place, Option<Value>)];

/// The transactions that touched a list and were committed, and what they read of lists.
fn committed<'a>(
    history: &'a History,
    timeline: &'a Timeline,
) -> impl Iterator<Item = (&'a Op, &'a Reads)> {
    history.ops().filter_map(|op| {
        let Action::Transact { reads, .. } = &op.action else {
            return None;
        };
        let touches = |place: &Place| place.key.starts_with("list-");
        let is_list = reads.iter().any(|(place, _)| touches(place));
        let has_landed = op
            .tags
            .last()
            .is_some_and(|tag| !timeline.landed(tag).is_empty());
        let is_committed =
            matches!(op.outcome, Outcome::Done(_) | Outcome::Behind(_)) || has_landed;
        (is_list && is_committed).then_some((op, reads.as_slice()))
    })
}

/// Who came before whom.
#[derive(Default)]
struct Graph {
    after: HashMap<usize, Vec<usize>>,
    /// Nodes beyond the operations: moments of real time.
    nodes: usize,
}

impl Graph {
    fn add(&mut self, before: usize, after: usize) {
        if before != after {
            self.after.entry(before).or_default().push(after);
        }
        self.nodes = self.nodes.max(before.max(after) + 1);
    }

    /// An operation that returned came before every one that began later: by a chain of moments, so that the edges stay
    /// few. One whose outcome was unknown may have landed at any later time.
    fn add_real_time<'a>(&mut self, ops: impl Iterator<Item = &'a Op>) {
        let mut ends = Vec::new();
        let mut count = 0;
        for (index, op) in ops.enumerate() {
            count = index + 1;
            ends.push((op.call.tick, index, true));
            let ret = op.ret.filter(|_| op.outcome != Outcome::Indeterminate);
            ends.extend(ret.map(|ret| (ret.tick, index, false)));
        }
        ends.sort_unstable();
        let mut moment = None;
        let mut next = count;
        for (_, index, is_call) in ends {
            if is_call {
                moment
                    .into_iter()
                    .for_each(|moment| self.add(moment, index));
            } else {
                moment.into_iter().for_each(|moment| self.add(moment, next));
                self.add(index, next);
                moment = Some(next);
                next += 1;
            }
        }
    }

    /// The operations of some cycle; empty if there is none.
    fn cycle(&self, ops: usize) -> Vec<usize> {
        let mut waits_for = vec![0_usize; self.nodes];
        for after in self.after.values().flatten() {
            waits_for[*after] += 1;
        }
        let mut free: Vec<usize> = (0..self.nodes)
            .filter(|node| waits_for[*node] == 0)
            .collect();
        while let Some(node) = free.pop() {
            for after in self.after.get(&node).into_iter().flatten() {
                waits_for[*after] -= 1;
                if waits_for[*after] == 0 {
                    free.push(*after);
                }
            }
        }
        self.walk(&waits_for)
            .into_iter()
            .filter(|node| *node < ops)
            .collect()
    }

    /// Follows nodes that wait for each other, backwards, until one comes again.
    fn walk(&self, waits_for: &[usize]) -> Vec<usize> {
        let mut before: HashMap<usize, usize> = HashMap::new();
        for (node, afters) in &self.after {
            for after in afters {
                if waits_for[*node] > 0 && waits_for[*after] > 0 {
                    before.insert(*after, *node);
                }
            }
        }
        let Some(mut node) = before.keys().copied().min() else {
            return Vec::new();
        };
        let mut path: Vec<usize> = Vec::new();
        loop {
            if let Some(start) = path.iter().position(|there| *there == node) {
                let mut cycle = path.split_off(start);
                cycle.reverse();
                return cycle;
            }
            path.push(node);
            match before.get(&node) {
                Some(earlier) => node = *earlier,
                None => return path,
            }
        }
    }
}
