//! Where writes wait for each other that others were faster than: a lane for each key that one of them touches.
//!
//! Never decides what is written: it spares attempts that could not succeed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::ground::sync::{Mutex, lock};

/// What a write does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Touch {
    Reads,
    Writes,
}

/// The lanes of those keys that somebody waits for, by their texts in the log.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<HashMap<Bytes, Arc<RwLock<()>>>>);

/// A place in some lanes, until it is dropped. Those who only read a key share its lane.
#[derive(Debug)]
pub(crate) struct Line {
    lanes: Arc<Lanes>,
    keys: Vec<Bytes>,
    places: Vec<Place>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "they are only held")]
enum Place {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Lanes {
    /// Waits for all who came before and touch the same, of whom one writes it. Whoever is dropped meanwhile leaves his place
    /// to the next. All take their lanes in the order of the keys, so none wait for each other.
    pub(crate) async fn enter(self: &Arc<Self>, keys: BTreeMap<Bytes, Touch>) -> Line {
        let mut line = Line {
            lanes: Arc::clone(self),
            keys: Vec::with_capacity(keys.len()),
            places: Vec::with_capacity(keys.len()),
        };
        for (key, touch) in keys {
            let lane = Arc::clone(lock(&self.0).entry(key.clone()).or_default());
            line.keys.push(key);
            line.places.push(match touch {
                Touch::Reads => Place::Shared(lane.read_owned().await),
                Touch::Writes => Place::Alone(lane.write_owned().await),
            });
        }
        line
    }

    /// Whether anybody is in a lane of these keys, or waits for it.
    pub(crate) fn is_taken<'a>(&self, mut keys: impl Iterator<Item = &'a Bytes>) -> bool {
        let lanes = lock(&self.0);
        !lanes.is_empty() && keys.any(|key| lanes.contains_key(key))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.places.clear();
        let mut lanes = lock(&self.lanes.0);
        for key in &self.keys {
            // Whoever holds a lane, or waits for it, counts.
            if lanes
                .get(key)
                .is_some_and(|lane| Arc::strong_count(lane) == 1)
            {
                lanes.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};

    use super::*;

    fn is_ready(entering: Pin<&mut impl Future<Output = Line>>) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        entering.poll(&mut nobody).is_ready()
    }

    async fn enter(lanes: &Arc<Lanes>, keys: &[(&'static str, Touch)]) -> Line {
        let keys = keys.iter();
        let keys = keys.map(|(key, touch)| (Bytes::from_static(key.as_bytes()), *touch));
        lanes.enter(keys.collect()).await
    }

    #[tokio::test]
    async fn only_who_writes_a_key_has_its_lane_to_himself() {
        use Touch::{Reads, Writes};
        let table = [
            (("a", Reads), ("a", Reads), true),
            (("a", Reads), ("a", Writes), false),
            (("a", Writes), ("a", Reads), false),
            (("a", Writes), ("a", Writes), false),
            (("a", Writes), ("b", Writes), true),
        ];
        for (first, second, passes) in table {
            let lanes = Arc::new(Lanes::default());
            let first = enter(&lanes, &[first]).await;
            let second = [second, ("c", Reads)];
            let mut second = pin!(enter(&lanes, &second));
            assert_eq!(is_ready(second.as_mut()), passes);
            drop(first);
            if !passes {
                second.await;
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_lane_that_nobody_is_in() {
        let lanes = Arc::new(Lanes::default());
        let first = enter(&lanes, &[("a", Touch::Writes), ("b", Touch::Reads)]).await;
        let is_taken = || lanes.is_taken([Bytes::from_static(b"b")].iter());
        {
            let waiting = [("b", Touch::Writes)];
            let mut waiting = pin!(enter(&lanes, &waiting));
            assert!(!is_ready(waiting.as_mut()));
            drop(first);
            // Who waits is still to come.
            assert!(is_taken());
        }
        assert!(!is_taken() && lock(&lanes.0).is_empty());
    }
}
