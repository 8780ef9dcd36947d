//! In the end every node shows what the log holds.
//!
//! It looks only at the last samples.

use std::collections::HashSet;

use super::timeline::{Timeline, shown};
use crate::history::{History, Read};
use crate::workload::KEYSPACES;

/// What was heard so shortly before the last look need not be seen in it: it may have landed after the synchronisation.
const FRESH_MICROS: u64 = 1_000_000;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut settled = HashSet::new();
    for sample in history.samples() {
        let Read::Final(position, seen) = &sample.read else {
            continue;
        };
        let who = format!("node {} in {}", sample.node, sample.keyspace);
        settled.insert((sample.node, sample.keyspace.as_str()));
        let overtaken = timeline.overtaken(&sample.keyspace, *position);
        if let Some(heard) = overtaken
            && heard.micros + FRESH_MICROS < sample.call.micros
        {
            wrong.push(format!(
                "{who} ended at {position}, though more had been committed {} ms before",
                (sample.call.micros - heard.micros) / 1000
            ));
        }
        match timeline.state(&sample.keyspace, *position) {
            Some(state) if shown(state) != *seen => wrong.push(format!(
                "{who} ended at {position} with another content than the log"
            )),
            Some(_) => {}
            None => wrong.push(format!(
                "{who} ended at {position}, of which no truth is known"
            )),
        }
    }
    for node in 0..history.run().nodes {
        for keyspace in KEYSPACES {
            if !settled.contains(&(node, keyspace)) {
                wrong.push(format!("node {node} in {keyspace} never settled"));
            }
        }
    }
    wrong
}
