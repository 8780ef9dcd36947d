//! A resource elsewhere, which keeps a gate.
//!
//! Never compares tokens: the map's own gate does.

use globe_log_client::Epoch;

use crate::fence::{Gate, Token};
use crate::lock::client::Made;

/// What its gate has seen: enough to make one that has seen the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// The life of the log it is in; 0 before it knows of any.
    pub epoch: u8,
    highest: u8,
    exclusive: u8,
}

impl Resource {
    fn gate(self) -> Gate {
        let mut gate = Gate::default();
        let mut seen = Ok(());
        for epoch in 1..=self.epoch {
            seen = seen.and_then(|()| gate.enter(life(epoch)));
        }
        if self.exclusive > 0 {
            seen = seen.and_then(|()| gate.admit(token(self.epoch, self.exclusive)));
        }
        if self.highest > self.exclusive {
            seen = seen.and_then(|()| gate.admit_shared(token(self.epoch, self.highest)));
        }
        assert!(seen.is_ok(), "{self:?} was seen before");
        gate
    }

    /// Lets a request in or not.
    pub(crate) fn admit(&mut self, made: Made) -> bool {
        let token = token(made.epoch, made.created);
        let mut gate = self.gate();
        let admitted = match made.reads {
            true => gate.admit_shared(token),
            false => gate.admit(token),
        };
        if admitted.is_err() {
            return false;
        }
        self.epoch = made.epoch;
        self.highest = self.highest.max(made.created);
        if !made.reads {
            self.exclusive = made.created;
        }
        true
    }

    /// It is told that the log is in another life.
    pub(crate) fn enter(&mut self, epoch: u8) {
        if self.gate().enter(life(epoch)).is_ok() && self.epoch != epoch {
            *self = Resource {
                epoch,
                ..Resource::default()
            };
        }
    }

    /// The highest token it has admitted of one who held alone.
    pub(crate) fn exclusive(self) -> (u8, u8) {
        (self.epoch, self.exclusive)
    }
}

fn life(epoch: u8) -> Epoch {
    Epoch::new(u64::from(epoch))
}

fn token(epoch: u8, number: u8) -> Token {
    Token::new(life(epoch), u64::from(number))
}
