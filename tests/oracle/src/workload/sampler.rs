//! Readers: `get`, `view` and `status`, one after the other, on a task or a thread of their own.
//!
//! They never wait for the map.

use fastrand::Rng;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::recording::shown;
use super::{Map, Node};
use crate::history::{At, Event, Health, Read};
use crate::recorder::Recorder;

pub(crate) struct Sampler {
    pub(crate) reader: u32,
    pub(crate) node: u32,
    pub(crate) maps: Node,
    pub(crate) recorder: Recorder,
    pub(crate) rng: Rng,
    pub(crate) keys: usize,
    pub(crate) rest: Duration,
}

impl Sampler {
    pub(crate) async fn run(mut self, over: CancellationToken) {
        while !over.is_cancelled() {
            self.look();
            let pause = self.rest.mul_f64(self.rng.f64());
            sleep(pause.max(Duration::from_micros(100))).await;
        }
    }

    pub(crate) fn run_on_thread(mut self, over: &CancellationToken) {
        while !over.is_cancelled() {
            self.look();
            std::thread::park_timeout(self.rest.mul_f64(self.rng.f64()));
        }
    }

    fn look(&mut self) {
        let index = usize::from(self.rng.u8(..4) == 0);
        let map = self.maps.maps()[index].clone();
        match self.rng.u8(..10) {
            0..3 => self.get(&map),
            3..5 => {
                // The two must agree on which is the newer.
                self.get(&map);
                self.view(&map);
                self.get(&map);
            }
            5..8 => self.view(&map),
            _ => health(&self.recorder, self.node, &map),
        }
    }

    fn get(&mut self, map: &Map) {
        let key = format!("k{}", self.rng.usize(..self.keys));
        let call = self.recorder.now();
        let found = map.get(&key).map(|value| value.tag.clone());
        let ret = self.recorder.now();
        self.sampled(map, (call, ret), Read::Get(key, found));
    }

    fn view(&mut self, map: &Map) {
        let call = self.recorder.now();
        let view = map.view();
        let ret = self.recorder.now();
        let read = Read::View(view.position(), shown(&view));
        self.sampled(map, (call, ret), read);
    }

    fn sampled(&self, map: &Map, seen: (At, At), read: Read) {
        let who = (self.reader, self.node);
        self.recorder.sample(who, map.keyspace(), seen, read);
    }
}

/// Records how a map says it is doing, and where it stands then.
pub(crate) fn health(recorder: &Recorder, node: u32, map: &Map) {
    let call = recorder.now();
    let status = map.status();
    let Some(position) = map.position() else {
        return;
    };
    let ret = recorder.now();
    let staleness = status.staleness.map(|age| age.as_micros());
    recorder.record(Event::Health(Health {
        node,
        keyspace: map.keyspace().to_string(),
        is_live: status.phase == globe::Phase::Live,
        staleness_micros: staleness.map(|age| u64::try_from(age).unwrap_or(u64::MAX)),
        position,
        resyncs: status.resyncs,
        violations: status.violations,
        call,
        ret,
    }));
}
