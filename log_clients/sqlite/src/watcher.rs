//! The thread that notices what others have written, and whose leases have fallen silent.
//!
//! Never reads a record, and never writes: it tells those who wait, and asks the writer.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use globe_log_client::{Position, Result};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{oneshot, watch};

use crate::error::explain;
use crate::leases::{self, Kept};
use crate::opened::{Held, Opened};
use crate::seen::{Seen, tell};
use crate::silence::Silence;
use crate::time::now;
use crate::writer::{Request, Ticket};
use crate::writes::{Ask, Done};

/// Between two looks, while others write.
const BUSY: Duration = Duration::from_millis(1);

/// Between two looks, when nobody has for long.
const IDLE: Duration = Duration::from_millis(30);

/// How much shorter the pause between two looks is than the time in which nobody has written.
const COOLING: u32 = 100;

pub(crate) struct Watcher {
    opened: Opened,
    asks: Sender<Request>,
    seen: watch::Sender<Seen>,
    /// Whose leases it looks after is nobody's business who may not write.
    sweeps: bool,
    version: Option<i64>,
    life: Option<u64>,
    silence: Silence,
    ending: Vec<(Kept, oneshot::Receiver<Result<Done>>)>,
}

impl Watcher {
    pub(crate) fn new(
        opened: Opened,
        asks: Sender<Request>,
        seen: watch::Sender<Seen>,
        sweeps: bool,
    ) -> Watcher {
        Watcher {
            opened,
            asks,
            seen,
            sweeps,
            version: None,
            life: None,
            silence: Silence::default(),
            ending: Vec::new(),
        }
    }

    /// Until nobody needs it any more, of whom the other end is.
    pub(crate) fn run(mut self, needed: &Receiver<Infallible>) {
        let mut changed = now();
        loop {
            if self.look() {
                changed = now();
            }
            self.sweep();
            let pause = (changed.elapsed() / COOLING).clamp(BUSY, IDLE);
            if needed.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    /// Whether there was something new.
    fn look(&mut self) -> bool {
        let (is_new, found) = match self.find() {
            Ok(None) => return false,
            Ok(Some(position)) => (true, Some(position)),
            Err(_) => {
                self.version = None;
                (false, None)
            }
        };
        tell(&self.seen, found);
        is_new
    }

    /// Where the log stands, if anybody has written since it was asked last.
    fn find(&mut self) -> Result<Option<Position>> {
        let mut held = self.opened.hold()?;
        let version = version(&held)?;
        // A connection of its own begins to count anew.
        if self.version == Some(version) && !held.is_new {
            return Ok(None);
        }
        self.version = None;
        let (life, renewal) = (self.life, self.silence.renewal);
        let (stand, kept) = held.look(|connection, stand| {
            let renewal = if life == Some(stand.life) { renewal } else { 0 };
            Ok((*stand, leases::since(connection, renewal)?))
        })?;
        if life != Some(stand.life) {
            self.silence = Silence::default();
            self.life = Some(stand.life);
        }
        self.silence.heard(kept, now());
        self.version = Some(version);
        Ok(Some(stand.position()))
    }

    /// Has those leases ended that were silent, and forgets those that were.
    fn sweep(&mut self) {
        if !self.sweeps {
            return;
        }
        for silent in self.silence.silent(now()) {
            let (answer, answered) = oneshot::channel();
            let request = Request::new(Ask::End(silent), Ticket::default(), answer);
            if self.asks.send(request).is_ok() {
                self.ending.push((silent, answered));
            }
        }
        let silence = &mut self.silence;
        self.ending
            .retain_mut(|(kept, answered)| match answered.try_recv() {
                Err(TryRecvError::Empty) => true,
                Ok(Ok(_)) => {
                    silence.ended(*kept);
                    false
                }
                _ => false,
            });
    }
}

/// Another number, if anybody else has written since it was asked last on the same connection.
fn version(held: &Held<'_>) -> Result<i64> {
    let mut statement = held
        .connection
        .prepare_cached("PRAGMA data_version")
        .map_err(explain)?;
    statement.query_row([], |row| row.get(0)).map_err(explain)
}
