//! The fence: why no late copy of a commit can land once its outcome was reported.
//!
//! Every commit also compares and writes one of this writer's slots, small records of its own that live as long as its
//! lease. While the outcome of a commit is unknown its slot is rewritten: if that succeeds, the commit was not applied
//! and never can be; if it fails, the slot itself shows what was. A slot that was left without an answer, because the
//! commit was dropped or nobody could tell, is closed in the same way before anything else is committed, and as soon as
//! anything else is answered.
//!
//! Never talks to a server: what it knows is used in `fencing`.

pub(crate) mod commit_outcome;
pub(crate) mod joint;
pub(crate) mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use globe_log_client::Epoch;

use crate::fence::writer::Writer;
use crate::settings::commit_settings::FenceSettings;

/// Why it is needed: a put whose caller had given up was seen to be applied 26 seconds later, over newer data. A guard
/// on the key's revision keeps that out, but one on *absent* can hold again after a delete; the slot's revision never
/// comes back.
pub(crate) struct Fence {
    pub(crate) settings: FenceSettings,
    writer: Mutex<Option<Arc<Writer>>>,
    /// Held by who closes slots or changes the writer.
    pub(crate) turn: tokio::sync::Mutex<()>,
    is_forbidden: AtomicBool,
    /// Slots were rewritten, or given up with their lease, without a look at the life of the log they are in.
    needs_epoch_check: AtomicBool,
}

impl Fence {
    pub(crate) fn new(settings: FenceSettings) -> Fence {
        Fence {
            settings,
            writer: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            is_forbidden: AtomicBool::new(false),
            needs_epoch_check: AtomicBool::new(false),
        }
    }

    /// Whether the role does not allow slots.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.is_forbidden.load(Ordering::Relaxed)
    }

    /// The role does not allow slots: commits go without from now on, and the capabilities say so.
    pub(crate) fn forbid(&self) {
        if !self.is_forbidden.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "this role cannot write below .globe/: a commit whose reply is lost may end as indeterminate"
            );
        }
    }

    /// Whether the life of the log has to be looked at, once.
    pub(crate) fn take_epoch_check(&self) -> bool {
        self.needs_epoch_check.swap(false, Ordering::Relaxed)
    }

    /// It could not be, or there is a new reason.
    pub(crate) fn require_epoch_check(&self) {
        self.needs_epoch_check.store(true, Ordering::Relaxed);
    }

    /// Whether something was left without an answer, and may yet land.
    pub(crate) fn is_open(&self) -> bool {
        let writer = self.current();
        writer.is_some_and(|writer| writer.is_open())
    }

    /// The writer, if nothing is to be done before it is used.
    pub(crate) fn ready(&self, epoch: Epoch) -> Option<Arc<Writer>> {
        self.current()
            .filter(|writer| writer.epoch == epoch && writer.is_fresh() && !writer.is_open())
    }

    /// The writer there is, whether it can be used or not.
    pub(crate) fn current(&self) -> Option<Arc<Writer>> {
        self.writer().clone()
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Option<Arc<Writer>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
