//! Resources outside of the log: each has a gate that it asks, and one has none.
//!
//! It does nothing with what it lets in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use globe::{Epoch, Fenced, Gate};

use super::held::Guard;
use crate::history::{Admission, Event, Share, Verdict};
use crate::recorder::Recorder;

/// The resources of a run, by the name of what protects them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resources {
    gates: Arc<Mutex<BTreeMap<String, Gate>>>,
}

impl Resources {
    /// Does something under a guard, whose process knows the log in this life. What one gate says is recorded in its order.
    pub(crate) fn effect(
        &self,
        recorder: &Recorder,
        (claim, guard): (u32, &Guard),
        (root, share): (&str, Share),
        life: Epoch,
    ) {
        let token = guard.hold().token();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(root.to_owned()).or_default();
        // Whoever is behind says a life that the gate has left, and is refused below.
        let _ = gate.enter(life);
        let admitted = match share {
            Share::Alone => gate.admit(token),
            Share::Reads | Share::Permits(..) => gate.admit_shared(token),
        };
        let verdict = match admitted {
            Ok(()) => Verdict::Admitted,
            Err(_) => Verdict::Refused,
        };
        let admission = |gate: String, verdict| {
            recorder.record(Event::Admission(Admission {
                claim,
                gate,
                token,
                verdict,
                at: recorder.now(),
            }));
        };
        admission(root.to_owned(), verdict);
        admission(format!("unguarded {root}"), Verdict::Unguarded);
    }
}
