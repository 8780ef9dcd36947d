//! Keys that somebody has to look at.
//!
//! Never says what is to be done about them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::ground::sync::{Mutex, Notify, lock};

/// Keys that somebody has to look at.
#[derive(Default)]
pub(crate) struct Due {
    keys: Mutex<BTreeSet<Bytes>>,
    stir: Notify,
}

impl Due {
    pub(crate) fn add(&self, keys: impl IntoIterator<Item = Bytes>) {
        lock(&self.keys).extend(keys);
        self.stir.notify_one();
    }

    pub(crate) fn take(&self) -> BTreeSet<Bytes> {
        std::mem::take(&mut lock(&self.keys))
    }

    /// Looks again at what there is.
    pub(crate) fn stir(&self) {
        self.stir.notify_one();
    }

    /// Waits until there may be something.
    pub(crate) async fn stirred(&self) {
        self.stir.notified().await;
    }
}

/// Has some keys looked at.
pub(crate) fn tell(listeners: &[Arc<Due>], keys: impl IntoIterator<Item = Bytes>) {
    let keys: Vec<Bytes> = keys.into_iter().collect();
    for due in listeners {
        due.add(keys.iter().cloned());
    }
}
