//! What tells a holder of today from one of yesterday: tokens, and the gate that a resource keeps.
//!
//! Never asks who holds anything: a gate only compares.

use std::fmt;
use std::str::FromStr;

use globe_log_client::{Epoch, Error, ErrorKind, Position, Result, Revision};
use serde::{Deserialize, Serialize};

use crate::transaction::txn::Txn;

/// The number of one who holds something: later holders have greater ones. What a holder does elsewhere goes there with its
/// token, and into a [`Gate`], which refuses who held it before.
///
/// It travels as text (`Display`, `FromStr`, and serde alike): `number@epoch`. Numbers are compared only inside one epoch,
/// one life of the log; epochs have no order.
///
/// ```
/// use globe::Token;
///
/// # fn main() -> globe::Result<()> {
/// let token: Token = "7@000000000000feed".parse()?;
/// assert_eq!(token.number, 7);
/// assert_eq!(token.to_string(), "7@000000000000feed");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub struct Token {
    /// In which life of the log.
    pub epoch: Epoch,
    /// Which holder.
    pub number: u64,
}

impl Token {
    /// A token from its parts.
    #[must_use]
    pub const fn new(epoch: Epoch, number: u64) -> Token {
        Token { epoch, number }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Position::new(self.epoch, Revision(self.number)).fmt(f)
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Token> {
        let Position {
            epoch, revision, ..
        } = text.parse()?;
        Ok(Token::new(epoch, revision.0))
    }
}

impl From<Token> for String {
    fn from(token: Token) -> String {
        token.to_string()
    }
}

impl TryFrom<String> for Token {
    type Error = Error;

    fn try_from(text: String) -> Result<Token> {
        text.parse()
    }
}

/// What is held under a token: the guards of locks, permits and terms, and of shards.
pub trait Fenced: sealed::Sealed {
    /// Its token: greater than that of whoever held it before, in this life of the log.
    fn token(&self) -> Token;

    /// Whether it is held, by the clocks and the map of this very moment. That is advice: between this look and what is done
    /// next anything may happen. What must not happen twice needs the token, or [`Txn::require`](crate::Txn::require).
    fn is_held(&self) -> bool;
}

pub(crate) mod sealed {
    use globe_log_client::Result;

    use crate::transaction::txn::Txn;

    /// Only what the log itself can guard is fenced.
    pub trait Sealed {
        /// Adds to a transaction what has to stand when it is committed, if it is held now.
        #[doc(hidden)]
        fn require_in(&self, txn: &mut Txn<'_>) -> Result<()>;
    }
}

/// What a resource keeps to refuse those who held it before: the highest token it has seen.
///
/// A resource in the same log needs none: see [`Txn::require`](crate::Txn::require). One elsewhere keeps a gate with its
/// data (it is serde), and asks it before it does what a request wants; or it compares in its own words: `UPDATE … SET …,
/// fence = ? WHERE id = ? AND epoch = ? AND fence <= ?`.
///
/// ```
/// use globe::{Epoch, Gate, Token};
///
/// # fn main() -> globe::Result<()> {
/// let epoch = Epoch::new(1);
/// let mut gate = Gate::default();
/// gate.admit(Token::new(epoch, 7))?;
/// gate.admit(Token::new(epoch, 7))?; // the same holder again
/// gate.admit(Token::new(epoch, 9))?; // its successor
/// assert!(gate.admit(Token::new(epoch, 7)).is_err()); // who was paused, and does not know
/// # Ok(()) }
/// ```
///
/// Epochs have no order, so only somebody who knows can say that the log is in another life: then call [`Gate::enter`], with
/// the epoch of a map's position, or by an operator. Until then tokens of another life are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    epoch: Option<Epoch>,
    #[serde(default)]
    left: Vec<Epoch>,
    /// The highest of those that were admitted alone.
    exclusive: u64,
    /// The highest of all.
    highest: u64,
}

impl Gate {
    /// Admits one that holds alone: a lock, a writer, a leader. The first token decides which life of the log the gate is in.
    ///
    /// # Errors
    /// `NotHeld` for a token below the highest that was admitted, of whichever kind, and for one of another life.
    pub fn admit(&mut self, token: Token) -> Result<()> {
        self.check(token, self.highest)?;
        self.note(token);
        self.exclusive = token.number;
        Ok(())
    }

    /// Admits one of those that hold together: a reader, a permit.
    ///
    /// # Errors
    /// `NotHeld` for a token below the highest that was admitted alone, and for one of another life.
    pub fn admit_shared(&mut self, token: Token) -> Result<()> {
        self.check(token, self.exclusive)?;
        self.note(token);
        Ok(())
    }

    /// From now on only tokens of this life of the log are admitted, whatever their number. Entering where the gate is
    /// changes nothing.
    ///
    /// # Errors
    /// `NotHeld` for a life that was left.
    pub fn enter(&mut self, epoch: Epoch) -> Result<()> {
        if self.epoch == Some(epoch) {
            return Ok(());
        }
        if self.left.contains(&epoch) {
            let why = format!("the gate has left the life {epoch} of the log");
            return Err(Error::new(ErrorKind::NotHeld, why));
        }
        self.left.extend(self.epoch.replace(epoch));
        (self.exclusive, self.highest) = (0, 0);
        Ok(())
    }

    fn check(&self, token: Token, least: u64) -> Result<()> {
        let why = match self.epoch {
            Some(epoch) if epoch != token.epoch => {
                format!(
                    "token {token} is of another life of the log than {epoch}, in which the gate is"
                )
            }
            _ if token.number < least => {
                format!("token {token} is below {least}, which was admitted before")
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::NotHeld, why))
    }

    fn note(&mut self, token: Token) {
        self.epoch = Some(token.epoch);
        self.highest = self.highest.max(token.number);
    }
}

/// Fencing.
impl Txn<'_> {
    /// Commits this transaction only while something is held: a lock, a permit, a term. What was written under it can then
    /// never land after somebody else has taken over, however late it arrives.
    ///
    /// Counts as a precondition. The claims may be in another keyspace, where the log can span them.
    ///
    /// # Errors
    /// `NotHeld` if it is not held at this moment, and then from the whole transaction if it is not any more when that is
    /// committed: nothing was written, and nothing is tried again. `Invalid` for a guard in another log.
    pub fn require(&mut self, guard: &impl Fenced) -> Result<()> {
        sealed::Sealed::require_in(guard, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Epoch = Epoch::new(1);
    const THERE: Epoch = Epoch::new(2);

    fn token(number: u64) -> Token {
        Token::new(HERE, number)
    }

    #[track_caller]
    fn refused(outcome: Result<()>) {
        assert_eq!(*outcome.unwrap_err().kind(), ErrorKind::NotHeld);
    }

    #[test]
    fn who_held_it_before_is_refused() {
        let mut gate = Gate::default();
        gate.admit(token(5)).unwrap();
        gate.admit(token(5)).unwrap();
        refused(gate.admit(token(4)));
        gate.admit(token(6)).unwrap();
        refused(gate.admit(token(5)));
    }

    #[test]
    fn those_who_hold_together_are_refused_only_below_one_who_held_alone() {
        let mut gate = Gate::default();
        gate.admit(token(5)).unwrap();
        for number in [8, 6, 7, 5] {
            gate.admit_shared(token(number)).unwrap();
        }
        refused(gate.admit_shared(token(4)));
        // A writer comes after all readers before it.
        refused(gate.admit(token(7)));
        gate.admit(token(9)).unwrap();
        refused(gate.admit_shared(token(8)));
    }

    #[test]
    fn a_gate_is_in_one_life_until_it_is_told_of_another() {
        let mut gate = Gate::default();
        gate.admit(token(5)).unwrap();
        refused(gate.admit(Token::new(THERE, 9)));
        refused(gate.admit_shared(Token::new(THERE, 9)));
        gate.enter(HERE).unwrap();
        gate.enter(THERE).unwrap();
        gate.admit(Token::new(THERE, 1)).unwrap();
        refused(gate.admit(token(9)));
        refused(gate.enter(HERE));
    }

    #[test]
    fn a_gate_and_a_token_are_kept_as_text() {
        let mut gate = Gate::default();
        gate.admit(token(5)).unwrap();
        gate.enter(THERE).unwrap();
        gate.admit_shared(Token::new(THERE, 3)).unwrap();
        let text = serde_json::to_string(&gate).unwrap();
        assert_eq!(serde_json::from_str::<Gate>(&text).unwrap(), gate);
        let text = serde_json::to_string(&token(5)).unwrap();
        assert_eq!(text, "\"5@0000000000000001\"");
        assert_eq!(serde_json::from_str::<Token>(&text).unwrap(), token(5));
        assert!("5".parse::<Token>().is_err());
    }
}
