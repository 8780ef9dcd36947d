//! How much of a map its attendant has seen: the views it judges by, and every difference between one and the next.
//!
//! Never leaves out a difference: what was judged by one view, and stands otherwise in the next, is shown.

use crate::entry::change::Change;
use crate::entry::key::Key;
use crate::globe::Globe;
use crate::read::view::View;
use crate::read::watch::{Changes, Watch};

/// What an attendant has seen of its map.
pub(crate) struct Sight<K: Key, V> {
    watch: Watch<K, V>,
    /// The view that all changes up to were shown; none has come since but those that the watch is to show.
    seen: View<K, V>,
}

impl<K: Key, V: Send + Sync + 'static> Sight<K, V> {
    pub(crate) fn new(map: &Globe<K, V>) -> Sight<K, V> {
        let mut watch = map.watch();
        let seen = watch.catch_up();
        Sight { watch, seen }
    }

    /// Waits for the next changes; `None` when the map has ended. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Changes<K, V>> {
        let changes = self.watch.next().await?;
        self.seen = changes.after();
        Some(changes)
    }

    /// The map as it stands now, and what has changed until then: the next changes are those after it. A watch alone would
    /// show nothing of a key that was looked at in between, in a newer view than it had shown, and stands again as it had
    /// shown it.
    pub(crate) fn now(&mut self) -> (View<K, V>, Vec<Change<K, V>>) {
        let now = self.watch.catch_up();
        let is_same = now.state.sequence == self.seen.state.sequence;
        let changes = if is_same {
            Vec::new()
        } else {
            now.diff(&self.seen)
        };
        self.seen = now.clone();
        (now, changes)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use globe_memory::MemoryLog;

    use super::*;

    fn keys(changes: &[Change<String, u64>]) -> Vec<&str> {
        changes.iter().map(|change| change.key().as_str()).collect()
    }

    #[tokio::test]
    async fn what_goes_again_after_it_was_looked_at_is_shown() {
        let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await.unwrap();
        let mut sight = Sight::new(&map);
        map.put("a", 1).await.unwrap();
        let (view, changes) = sight.now();
        assert_eq!((view.len(), keys(&changes)), (1, vec!["a"]));
        map.delete("a").await.unwrap();
        let changes = sight.next().now_or_never().unwrap().unwrap();
        assert_eq!(keys(changes.as_slice()), ["a"]);
        assert!(sight.now().1.is_empty(), "it was shown");
        assert!(sight.next().now_or_never().is_none());
    }
}
