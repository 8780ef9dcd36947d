//! One life of a member, as the history knows it.
//!
//! It keeps nobody alive: it only writes down.

use crate::history::{At, Event, LifeDid, LifeStep};
use crate::recorder::Recorder;

/// A life: what becomes of it is written down under its number.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) recorder: Recorder,
    pub(crate) number: u32,
    pub(crate) node: u32,
    keyspace: &'static str,
    pub(crate) id: String,
}

impl Life {
    pub(crate) fn new(recorder: &Recorder, node: u32, keyspace: &'static str, id: &str) -> Life {
        Life {
            recorder: recorder.clone(),
            number: recorder.number(),
            node,
            keyspace,
            id: id.to_owned(),
        }
    }

    pub(crate) fn now(&self) -> At {
        self.recorder.now()
    }

    /// Something is over that began with a call.
    pub(crate) fn did(&self, did: LifeDid, call: At) {
        self.recorder.record(Event::LifeStep(LifeStep {
            life: self.number,
            node: self.node,
            keyspace: self.keyspace.to_owned(),
            id: self.id.clone(),
            did,
            call,
            ret: self.now(),
        }));
    }

    /// Something happens now.
    pub(crate) fn does(&self, did: LifeDid) {
        self.did(did, self.now());
    }
}
