//! The threads of a scene, under whichever model checker it is compiled for.
//!
//! Never decides in which order they run: that is the checker's.

use std::sync::Arc;

use crate::thread::{self, JoinHandle};

/// A thread that does something with the map.
pub(crate) fn begin<M: Send + Sync + 'static>(
    map: &Arc<M>,
    part: impl FnOnce(Arc<M>) + Send + 'static,
) -> JoinHandle<()> {
    let map = Arc::clone(map);
    thread::spawn(move || part(map))
}

/// Waits for threads, of which none may fail.
pub(crate) fn all_end(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap_or_else(|_| panic!("a thread failed"));
    }
}
