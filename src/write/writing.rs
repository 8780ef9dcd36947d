//! A write of a key while it is under way, so that nobody judges the key meanwhile.
//!
//! Never sends anything: who does tells it how that ended.

use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::Result;

use crate::write::attempt::Outcome;
use crate::write::draft::Stands;
use crate::write::ending::{Ending, ending};
use crate::write::wanted::Intent;
use crate::write::wanted_keys::WantedKeys;

/// A write of a key that is under way. Dropped before it was told how it ended, nobody knows.
#[must_use]
pub(crate) struct Writing {
    keys: Arc<WantedKeys>,
    text: Bytes,
    intent: Intent,
    /// What it is sent over.
    pub(crate) over: Stands,
    ending: Ending,
}

impl Writing {
    /// Begins one, over what is known to stand there; nothing for one that keeps or leaves a key nobody wants.
    pub(crate) fn begin(
        keys: &Arc<WantedKeys>,
        text: &Bytes,
        intent: Intent,
        over: Stands,
    ) -> Option<Writing> {
        keys.begin(text, &intent).then(|| Writing {
            keys: Arc::clone(keys),
            text: text.clone(),
            intent,
            over,
            ending: Ending::Unknown,
        })
    }

    pub(crate) fn end(mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let (keys, text) = (&self.keys, &self.text);
        keys.end(text, &self.intent, self.over, self.ending);
    }
}

/// Tells what became of writes that were under way.
pub(crate) fn end(writings: impl IntoIterator<Item = Option<Writing>>, outcome: &Result<Outcome>) {
    let ending = ending(outcome);
    for writing in writings.into_iter().flatten() {
        writing.end(ending);
    }
}
