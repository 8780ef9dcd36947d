//! What the log and the members say of who owned what, and when.
//!
//! Never forgets anything: all of it is compared in the end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use globe::shards::{Incarnation, OwnedShard, Row};
use globe::{Entry, Fenced, Globe};
use globe_test_support::EtcdServer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a member writes under a shard that it owns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) by: String,
    pub(super) term: u64,
}

/// Each change of something: of which revision, and of which key.
type Revisions<T> = JoinHandle<Vec<(u64, String, T)>>;

/// A change of the table.
enum Change {
    Row(Row),
    Came(Incarnation),
    Gone,
}

/// Hears of every revision of the table, and of what is written under its rows.
pub(super) struct History {
    table: Revisions<Change>,
    works: Revisions<Work>,
    stops: [oneshot::Sender<()>; 2],
}

impl History {
    pub(super) fn of(table: &Globe<String, Value>, works: &Globe<String, Work>) -> History {
        let (stop_table, table) = record(table, |key, entry| {
            if let Some(id) = key.strip_prefix("member/") {
                let came = |entry: &Entry<Value>| {
                    let created = entry.created().revision().0;
                    format!("{id}@{created}").parse().unwrap()
                };
                return Some(entry.map_or(Change::Gone, |entry| Change::Came(came(entry))));
            }
            let row = entry.filter(|_| key.starts_with("row/"))?;
            let row = serde_json::from_value((**row.value()).clone());
            Some(Change::Row(row.unwrap()))
        });
        let (stop_works, works) = record(works, |_, entry| Some((**entry?.value()).clone()));
        History {
            table,
            works,
            stops: [stop_table, stop_works],
        }
    }

    /// No term fell, no row changed hands within one, and whatever was written under a shard was so while the row said so.
    pub(super) async fn ends_sound(self) -> Seen {
        for stop in self.stops {
            stop.send(()).unwrap();
        }
        let (table, works) = (self.table.await.unwrap(), self.works.await.unwrap());
        let mut seen = Seen::default();
        let mut rows: BTreeMap<String, Vec<(u64, Row)>> = BTreeMap::new();
        let mut members: BTreeMap<String, Incarnation> = BTreeMap::new();
        for (revision, key, change) in table {
            match change {
                Change::Row(row) => {
                    let shard = key.trim_start_matches("row/").to_owned();
                    let known = rows.entry(shard).or_default();
                    if let Some((_, last)) = known.last() {
                        let is_same = last.owner == row.owner;
                        assert!(row.term >= last.term, "{key}: {last:?} {row:?}");
                        assert!(is_same || row.term > last.term, "{key}: {last:?} {row:?}");
                        seen.handed += usize::from(!is_same);
                    }
                    known.push((revision, row));
                }
                Change::Came(member) => drop(members.insert(key, member)),
                Change::Gone => {
                    let gone = members.remove(&key);
                    let owned = { rows.values() }
                        .filter(|known| known.last().map(|(_, row)| &row.owner) == gone.as_ref());
                    seen.orphaned += owned.count();
                }
            }
        }
        for (revision, shard, work) in works {
            let mut known = rows[&shard].iter();
            // What was written before this began is under a term that it did not see.
            let Some((_, row)) = known.rfind(|(at, _)| *at <= revision) else {
                continue;
            };
            let is_his = row.owner.id() == work.by && row.term == work.term;
            assert!(is_his, "{shard} at {revision}: {row:?} {work:?}");
            seen.works += 1;
        }
        seen
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How often a row changed hands.
    pub(super) handed: usize,
    /// How many rows lost their owner, which was gone all at once.
    pub(super) orphaned: usize,
    pub(super) works: usize,
}

fn record<V, T>(
    map: &Globe<String, V>,
    of: impl Fn(&String, Option<&Entry<V>>) -> Option<T> + Send + 'static,
) -> (oneshot::Sender<()>, Revisions<T>)
where
    V: Send + Sync + 'static,
    T: Send + 'static,
{
    let (stop, mut stopped) = oneshot::channel();
    let mut watch = map.watch().every_revision(1 << 20);
    let mut seen = Vec::new();
    for (key, entry) in &watch.catch_up() {
        let revision = entry.version().revision().0;
        seen.extend(of(key, Some(entry)).map(|it| (revision, key.clone(), it)));
    }
    // In the order in which it came to be, as what follows is.
    seen.sort_by_key(|(revision, _, _)| *revision);
    let recording = tokio::spawn(async move {
        loop {
            let changes = tokio::select! {
                biased;
                changes = watch.next() => changes.expect("it is open"),
                _ = &mut stopped => return seen,
            };
            let revision = changes.to().revision.0;
            for change in &changes {
                let it = of(change.key(), change.new());
                seen.extend(it.map(|it| (revision, change.key().clone(), it)));
            }
        }
    });
    (stop, recording)
}

/// A file in which members say what they serve, by a clock that all of a machine share.
#[derive(Clone, Debug)]
pub(super) struct Journal(pub(super) PathBuf);

impl Journal {
    /// The one of a table.
    pub(super) fn of(server: &EtcdServer, table: &str) -> Journal {
        let name = format!(
            "globe-journal-{}-{}-{table}",
            std::process::id(),
            server.port()
        );
        Journal(std::env::temp_dir().join(name))
    }

    /// Who served last.
    pub(super) fn last(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.0).ok()?;
        let line = text.lines().last()?;
        Some(parsed(line).4.to_owned())
    }

    /// At this moment a shard is served. Nothing if it is not.
    pub(super) fn serves(&self, by: &str, shard: &OwnedShard) -> bool {
        // Before it is asked: held then, it was held at that moment.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        if !shard.is_held() {
            return false;
        }
        let line = format!(
            "{} {} {:09} {} {by}\n",
            shard.shard(),
            now.tv_sec,
            now.tv_nsec,
            shard.token().number
        );
        let mut file = std::fs::OpenOptions::new();
        let mut file = file.append(true).create(true).open(&self.0).unwrap();
        std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
        true
    }

    /// By the clock nobody served under a term when somebody did under a greater one. How many lines there are.
    pub(super) fn is_sound(&self) -> usize {
        let text = std::fs::read_to_string(&self.0).unwrap();
        let mut lines: Vec<(u64, u64, u64, u64, &str)> = text.lines().map(parsed).collect();
        lines.sort_unstable();
        for pair in lines.windows(2) {
            let [
                (shard, _, _, term, by),
                (next_shard, _, _, next_term, next_by),
            ] = pair
            else {
                unreachable!("two");
            };
            if shard == next_shard {
                let is_next = next_term > term || (next_term == term && next_by == by);
                assert!(is_next, "{pair:?}");
            }
        }
        lines.len()
    }
}

fn parsed(line: &str) -> (u64, u64, u64, u64, &str) {
    let parts: Vec<&str> = line.split(' ').collect();
    let number = |at: usize| parts[at].parse().unwrap();
    (number(0), number(1), number(2), number(3), parts[4])
}
