//! The watch streams of one client: which there are, and which one more tail may join.
//!
//! Never keeps one alive: a stream ends with the last watch on it.

pub(crate) mod mailbox;
pub(crate) mod progress_requests;
pub(crate) mod route;
pub(crate) mod stream;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::mpsc::UnboundedSender;

use crate::members::connection::Connection;
use crate::members::endpoints::Chosen;
use crate::streams::stream::Command;

/// Tails that catch up hold up the progress of all others on their stream, so they have some for themselves: at most
/// about so many.
const CATCH_UP_STREAMS: usize = 4;

/// The way to the task of one stream, which ends when the last of these is dropped.
pub(crate) struct Stream {
    pub(crate) chosen: Chosen,
    pub(crate) connection: Arc<Connection>,
    pub(crate) commands: UnboundedSender<Command>,
    /// How many watches its server has created or refused.
    answered: Arc<AtomicU64>,
    /// How many of its tails are catching up.
    catching_up: AtomicUsize,
    /// The number of the next tail.
    next: AtomicU64,
    is_closed: AtomicBool,
}

/// The streams of one client.
#[derive(Default)]
pub(crate) struct Streams {
    open: Mutex<Vec<Weak<Stream>>>,
    /// Held while a stream is opened, so that those who come together share one.
    pub(crate) opening: tokio::sync::Mutex<()>,
    /// Held while a keyspace is compared, which is work for the server: one after the other.
    pub(crate) comparing: tokio::sync::Mutex<()>,
    /// The addresses behind which nobody answers requests for progress.
    mute: Mutex<HashSet<String>>,
}

impl Stream {
    /// One with a first tail, whose number is 0.
    pub(crate) fn new(
        chosen: Chosen,
        connection: Arc<Connection>,
        commands: UnboundedSender<Command>,
        answered: Arc<AtomicU64>,
    ) -> Stream {
        Stream {
            chosen,
            connection,
            commands,
            answered,
            catching_up: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            is_closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// No more tails join it.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn begins_to_catch_up(&self) {
        self.catching_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn has_caught_up(&self) {
        self.catching_up.fetch_sub(1, Ordering::Relaxed);
    }

    fn catching_up(&self) -> usize {
        self.catching_up.load(Ordering::Relaxed)
    }

    /// Whether one more tail may join: it is open, and of the connections that are used now.
    fn takes_more(&self, chosen: &Chosen) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
            && !self.commands.is_closed()
            && Arc::ptr_eq(&self.chosen.connections, &chosen.connections)
    }
}

impl Streams {
    pub(crate) fn add(&self, stream: &Arc<Stream>) {
        let mut open = lock(&self.open);
        open.retain(|stream| stream.strong_count() > 0);
        open.push(Arc::downgrade(stream));
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        let open = lock(&self.open);
        open.iter()
            .filter(|stream| stream.strong_count() > 0)
            .count()
    }

    /// The stream to join on this member; nothing when there should be one more.
    pub(crate) fn to_join(&self, chosen: &Chosen, catches_up: bool) -> Option<Arc<Stream>> {
        let open: Vec<_> = lock(&self.open).iter().filter_map(Weak::upgrade).collect();
        let open = open.into_iter().filter(|stream| stream.takes_more(chosen));
        let (behind, level): (Vec<_>, Vec<_>) = open.partition(|stream| stream.catching_up() > 0);
        if !catches_up {
            return level.into_iter().next();
        }
        if behind.len() < CATCH_UP_STREAMS {
            return None;
        }
        behind.into_iter().min_by_key(|stream| stream.catching_up())
    }

    pub(crate) fn is_mute(&self, address: &str) -> bool {
        lock(&self.mute).contains(address)
    }

    /// Remembers whether a member answers requests for progress.
    pub(crate) fn set_mute(&self, address: &str, is_mute: bool) {
        let mut mute = lock(&self.mute);
        if is_mute && mute.insert(address.to_owned()) {
            tracing::info!(endpoint = %address, "etcd member does not answer progress requests: comparing instead");
        } else if !is_mute {
            mute.remove(address);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
