//! The right to write a copy, which one process has at a time.
//!
//! Never asks for it more often than it is worth.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use crate::place::Place;
use crate::time::steady;

/// How often who has it not tries to get it.
const TRY: Duration = Duration::from_secs(1);

/// Whether this process has it.
#[derive(Debug, Default)]
pub(crate) struct Right {
    lock: Option<File>,
    tried: Option<Instant>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It was had before.
    Still,
    /// It has just been got: somebody else may have written until now.
    Newly,
    Not,
}

impl Right {
    pub(crate) fn is_held(&self) -> bool {
        self.lock.is_some()
    }

    /// Gets it, if it can be had and was not tried just now.
    pub(crate) fn get(&mut self, place: &Place) -> io::Result<Held> {
        if self.is_held() {
            return Ok(Held::Still);
        }
        let now = steady();
        if self
            .tried
            .is_some_and(|tried| now.duration_since(tried) < TRY)
        {
            return Ok(Held::Not);
        }
        self.tried = Some(now);
        self.lock = place.lock()?;
        Ok(match self.lock {
            Some(_) => Held::Newly,
            None => Held::Not,
        })
    }

    /// The next attempt is made at once.
    pub(crate) fn try_now(&mut self) {
        self.tried = None;
    }

    /// Gives it up: what is locked may not be what lies there any more.
    pub(crate) fn give_up(&mut self) {
        *self = Right::default();
    }
}
