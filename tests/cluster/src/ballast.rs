//! Entries that lie in both keyspaces from before the first client to after the last: what makes a snapshot long.
//!
//! It is laid by bare transactions, and changed by nobody.

use std::ops::Range;

use etcd_client::{Client, Txn, TxnOp};
use futures::StreamExt;
use futures::stream;
use globe::Revision;
use globe_oracle::{BALLAST, KEYSPACES, Map, Node, Recorder, laid};

use crate::ear::Source;

/// How many entries a server takes in one transaction, by default.
const AT_ONCE: usize = 128;
/// How many transactions are under way together.
const TOGETHER: usize = 16;

/// What was laid.
#[derive(Debug)]
pub(crate) struct Ballast {
    entries: usize,
    /// Of each keyspace, the revision of each transaction.
    revisions: Vec<Vec<Revision>>,
}

impl Ballast {
    /// Lays so many entries into each keyspace.
    pub(crate) async fn lay(entries: usize, source: &Source, recorder: &Recorder) -> Ballast {
        let client = source.connect().await.expect("a healthy member");
        let mut revisions = Vec::new();
        for keyspace in KEYSPACES {
            let starts = (0..entries).step_by(AT_ONCE);
            let commits = starts.map(|start| {
                let numbers = start..entries.min(start + AT_ONCE);
                commit(client.clone(), keyspace, numbers)
            });
            let commits = stream::iter(commits).buffered(TOGETHER);
            revisions.push(commits.collect().await);
        }
        laid(entries, recorder);
        Ballast { entries, revisions }
    }

    /// What is not there as it was laid, or not laid and there: the first of it in each map, by `get` and in a view.
    pub(crate) fn missing(&self, nodes: &[Node]) -> Vec<String> {
        let nodes = nodes.iter().enumerate();
        let missing = nodes.flat_map(|(number, node)| {
            let maps = [&node.first, &node.second].into_iter();
            maps.zip(&self.revisions)
                .filter_map(move |(map, revisions)| {
                    let missing = self.missing_from(map, revisions)?;
                    let keyspace = map.keyspace();
                    Some(format!("node {number} in {keyspace}: {missing}"))
                })
        });
        missing.collect()
    }

    fn missing_from(&self, map: &Map, revisions: &[Revision]) -> Option<String> {
        let view = map.view();
        let mut shown = view.prefix(BALLAST);
        for number in 0..self.entries {
            let (key, revision) = (key(number), revisions[number / AT_ONCE]);
            let found = shown.next().map(|(there, entry)| {
                let (created, written) = (entry.created(), entry.version());
                let tag = entry.value().tag.as_str();
                (there, tag, created.revision(), written.revision())
            });
            let laid = Some((&key, key.as_str(), revision, revision));
            if found != laid {
                return Some(format!("laid was {laid:?}, shown is {found:?}"));
            }
            let got = map.get(&key).map(|value| value.tag.clone());
            if got.as_ref() != Some(&key) {
                return Some(format!("laid was {key:?}, got is {got:?}"));
            }
        }
        let more = shown.next();
        more.map(|(key, _)| format!("nobody laid {key:?}, which is shown"))
    }
}

fn key(number: usize) -> String {
    format!("{BALLAST}-{number:06}")
}

async fn commit(mut client: Client, keyspace: &str, numbers: Range<usize>) -> Revision {
    let puts = numbers.map(|number| {
        let value = format!("{{\"tag\":\"{}\"}}", key(number));
        TxnOp::put(format!("{keyspace}/{}", key(number)), value, None)
    });
    let all = Txn::new().and_then(puts.collect::<Vec<_>>());
    let done = client.txn(all).await.expect("a healthy member");
    let revision = done.header().map(etcd_client::ResponseHeader::revision);
    Revision(revision.expect("a revision").unsigned_abs())
}
