//! Listeners of watches of every kind, brisk and slow.
//!
//! They only listen: what was delivered is judged afterwards.

use fastrand::Rng;
use globe::Watch;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::recording::{cause, moved, shown};
use super::{Map, Node};
use crate::history::{Delivered, Ended, Event, Filter, Mode, Opened, Value};
use crate::recorder::Recorder;

/// More revisions than any run makes.
const ALL: usize = 1_000_000;

pub(crate) struct Watcher {
    number: u32,
    watch: Watch<String, Value>,
    rest: Duration,
    recorder: Recorder,
    rng: Rng,
}

/// One listener of each kind on one node.
pub(crate) fn every_kind(
    node: usize,
    maps: &Node,
    recorder: &Recorder,
    rng: &mut Rng,
) -> Vec<Watcher> {
    let brisk = Duration::ZERO;
    let slow = Duration::from_millis(400);
    let prefix = || Filter::Prefix("twin".to_owned());
    let kinds = [
        (&maps.first, Filter::All, Mode::Latest, brisk),
        (&maps.first, Filter::All, Mode::EveryRevision(ALL), brisk),
        (&maps.first, Filter::All, Mode::Latest, slow),
        (&maps.first, Filter::All, Mode::EveryRevision(2), slow),
        (&maps.first, prefix(), Mode::Latest, brisk),
        (&maps.first, prefix(), Mode::EveryRevision(ALL), brisk),
        (
            &maps.first,
            Filter::Key("k0".to_owned()),
            Mode::Latest,
            brisk,
        ),
        (&maps.second, Filter::All, Mode::Latest, brisk),
        (
            &maps.second,
            Filter::Key("k1".to_owned()),
            Mode::Latest,
            slow,
        ),
    ];
    let node = u32::try_from(node).unwrap_or(u32::MAX);
    let open = |(map, filter, mode, rest)| {
        Watcher::open(node, map, filter, mode, rest, recorder, rng.fork())
    };
    kinds.into_iter().map(open).collect()
}

impl Watcher {
    fn open(
        node: u32,
        map: &Map,
        filter: Filter,
        mode: Mode,
        rest: Duration,
        recorder: &Recorder,
        rng: Rng,
    ) -> Watcher {
        let mut watch = match &filter {
            Filter::All => map.watch(),
            Filter::Key(key) => map.watch_key(key.as_str()),
            Filter::Prefix(prefix) => map.watch_prefix(prefix),
        };
        if let Mode::EveryRevision(buffer) = mode {
            // The queue is bounded, but not allocated, by its size.
            watch = watch.every_revision(buffer);
        }
        let number = recorder.number();
        let view = watch.catch_up();
        let mut shown = shown(&view);
        shown.retain(|(key, _)| filter.covers(key));
        recorder.record(Event::Opened(Opened {
            watch: number,
            node,
            keyspace: map.keyspace().to_string(),
            filter,
            mode,
            rest_micros: u64::try_from(rest.as_micros()).unwrap_or(u64::MAX),
            position: view.position(),
            shown,
            at: recorder.now(),
        }));
        Watcher {
            number,
            watch,
            rest,
            recorder: recorder.clone(),
            rng,
        }
    }

    /// Listens until `end`, then takes what is there.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        loop {
            let changes = tokio::select! {
                biased;
                changes = self.watch.next() => changes,
                () = end.cancelled() => break,
            };
            let Some(changes) = changes else { break };
            self.delivered(&changes);
            let rest = self.rest.mul_f64(self.rng.f64());
            if !rest.is_zero() {
                sleep(rest).await;
            }
        }
        while let Some(changes) = self.watch.try_next() {
            self.delivered(&changes);
        }
        self.recorder.record(Event::Ended(Ended {
            watch: self.number,
            at: self.recorder.now(),
        }));
    }

    fn delivered(&self, changes: &globe::Changes<String, Value>) {
        self.recorder.record(Event::Delivered(Delivered {
            watch: self.number,
            from: changes.from(),
            to: changes.to(),
            cause: cause(changes.cause()),
            changes: changes.iter().map(moved).collect(),
            at: self.recorder.now(),
        }));
    }
}
