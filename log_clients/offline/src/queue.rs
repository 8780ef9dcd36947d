//! The way from those who read the log to the thread that writes the copy.
//!
//! Never makes a reader wait: what does not fit is left out, and the thread hears that something was.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use globe_log_client::Position;
use tokio::sync::Notify;

use crate::gate::Gate;
use crate::note::Note;

/// How many bytes may be on the way. One note is always taken, however large it is.
pub(crate) const ROOM: usize = 32 << 20;

/// The notes that are on the way.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    held: Mutex<Held>,
    came: Condvar,
    left: Notify,
}

#[derive(Debug, Default)]
struct Held {
    notes: VecDeque<Note>,
    /// What waits to be confirmed, where that is asked for. It takes room as well.
    gate: Option<Gate>,
    bytes: usize,
    /// Something was left out.
    has_lost: bool,
    /// Nobody is left who could send more, or nobody who would take it.
    is_over: bool,
}

/// What the thread finds.
#[derive(Debug)]
pub(crate) enum Found {
    Note(Note),
    /// Something was left out: before it or after it, that is not known.
    Loss,
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing will come.
    Over,
}

impl Queue {
    /// Takes a note on its way if there is room. Says whether it was taken.
    pub(crate) fn offer(&self, note: Note) -> bool {
        let refused = self.put(note, true);
        refused.is_none()
    }

    /// Takes a note on its way once there is room, or drops it where nobody would take it. Cancel safe: it is there whole or
    /// not at all.
    pub(crate) async fn send(&self, note: Note) {
        let mut note = note;
        while let Some(back) = self.put(note, false) {
            note = back;
            self.left.notified().await;
        }
    }

    /// Takes a small note on its way, room or not.
    pub(crate) fn tell(&self, note: Note) {
        let mut held = self.held();
        if held.is_over {
            drop(held);
            return drop(note);
        }
        held.push(note);
        drop(held);
        self.came.notify_one();
    }

    /// Gives the note back if there is no room; that is a loss, unless it will be tried again.
    fn put(&self, note: Note, is_last_try: bool) -> Option<Note> {
        let mut held = self.held();
        if held.is_over {
            drop(held);
            drop(note);
            return None;
        }
        if held.bytes > 0 && held.bytes + note.weight() > ROOM {
            held.has_lost |= is_last_try && note.is_missed();
            return Some(note);
        }
        held.push(note);
        drop(held);
        self.came.notify_one();
        None
    }

    /// The next note. Waits for it, unless there is something else to do.
    pub(crate) fn next(&self, is_busy: bool) -> Found {
        let mut held = self.held();
        loop {
            if let Some(note) = held.notes.pop_front() {
                held.bytes -= note.weight().min(held.bytes);
                drop(held);
                self.left.notify_one();
                return Found::Note(note);
            }
            if std::mem::take(&mut held.has_lost) {
                return Found::Loss;
            }
            if is_busy {
                return Found::Nothing;
            }
            if held.is_over {
                return Found::Over;
            }
            held = self.came.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From now on only what is confirmed is on its way.
    pub(crate) fn await_confirmation(&self) {
        self.held().gate.get_or_insert_default();
    }

    /// Everything up to here may be written.
    pub(crate) fn confirm(&self, position: Position) {
        let mut held = self.held();
        let Some(gate) = &mut held.gate else {
            return;
        };
        let (passed, dropped) = gate.confirm(position);
        if passed.is_empty() && dropped.is_empty() {
            return;
        }
        held.notes.extend(passed);
        held.forget(&dropped);
        drop(held);
        drop(dropped);
        self.came.notify_one();
        self.left.notify_one();
    }

    /// Whether something waits to be confirmed.
    pub(crate) fn is_waiting(&self) -> bool {
        self.held().gate.as_ref().is_some_and(Gate::is_waiting)
    }

    /// Nobody takes anything any more: what is on the way is dropped.
    pub(crate) fn close(&self) {
        let mut held = self.held();
        held.is_over = true;
        held.bytes = 0;
        let notes = (std::mem::take(&mut held.notes), held.gate.take());
        drop(held);
        drop(notes);
        self.left.notify_one();
    }

    fn end(&self) {
        self.held().is_over = true;
        self.came.notify_one();
        self.left.notify_one();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// These take no room any more.
    fn forget(&mut self, notes: &[Note]) {
        let weight: usize = notes.iter().map(Note::weight).sum();
        self.bytes -= weight.min(self.bytes);
    }

    fn push(&mut self, note: Note) {
        self.bytes += note.weight();
        let (note, left) = match &mut self.gate {
            Some(gate) => gate.keep(note),
            None => (Some(note), Vec::new()),
        };
        self.forget(&left);
        self.notes.extend(note);
    }
}

/// Who sends notes. When the last one is dropped, the thread ends once it has written what is on the way.
#[derive(Clone, Debug)]
pub(crate) struct Notes(Arc<Sending>);

#[derive(Debug)]
struct Sending(Arc<Queue>);

impl Notes {
    pub(crate) fn new(queue: Arc<Queue>) -> Notes {
        Notes(Arc::new(Sending(queue)))
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.0.0
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.end();
    }
}
