//! A member of a service: who it is, how it is, and what it wants others to know.
//!
//! Only words: nothing here decides anything.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a member has if it does not say otherwise.
pub(crate) const WEIGHT: u32 = 100;

/// A member of a service, as it registers, and as others see it.
///
/// In the log it is the record `{service}/{id}` = `{"state":"up","weight":100,"zone":"a","data":…}`, which people can read
/// and write: only `data` must be there, and fields that are not known are passed over. The id is the one of the key.
///
/// ```
/// use globe::registry::{Member, State};
///
/// let mut me = Member::new("web-7", "10.0.0.7:80".to_owned()).weight(50).zone("eu-1");
/// assert_eq!((me.state, me.weight), (State::Up, 50));
/// me.data = "10.0.0.8:80".to_owned().into();
/// ```
#[non_exhaustive]
pub struct Member<T> {
    /// What tells it apart from the other members of its service.
    pub id: String,
    /// Whether it is to be picked.
    pub state: State,
    /// How much of the work it is to get, beside the others. Default 100. Who has 0 is listed, and never picked.
    pub weight: u32,
    /// Where it is: pickers prefer members of their own zone.
    pub zone: Option<String>,
    /// What it wants others to know: where it listens, say. It reads as what is inside.
    pub data: Arc<T>,
}

/// Whether a member is to be picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// It is.
    #[default]
    Up,
    /// It is about to leave: it is picked only where nobody is up, and may go without anybody's being alarmed.
    Draining,
    /// It is listed, and not picked.
    Down,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Up => "up",
            State::Draining => "draining",
            State::Down => "down",
        })
    }
}

impl<T> Member<T> {
    /// A member that is up, of weight 100, in no zone.
    #[must_use]
    pub fn new(id: impl Into<String>, data: T) -> Member<T> {
        Member {
            id: id.into(),
            state: State::Up,
            weight: WEIGHT,
            zone: None,
            data: Arc::new(data),
        }
    }

    /// In another state from the beginning.
    #[must_use]
    pub fn state(mut self, state: State) -> Member<T> {
        self.state = state;
        self
    }

    /// With another weight.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Member<T> {
        self.weight = weight;
        self
    }

    /// In a zone.
    #[must_use]
    pub fn zone(mut self, zone: impl Into<String>) -> Member<T> {
        self.zone = Some(zone.into());
        self
    }
}

/// Its data is shared, not copied.
impl<T> Clone for Member<T> {
    fn clone(&self) -> Member<T> {
        Member {
            id: self.id.clone(),
            state: self.state,
            weight: self.weight,
            zone: self.zone.clone(),
            data: Arc::clone(&self.data),
        }
    }
}

impl<T: PartialEq> PartialEq for Member<T> {
    fn eq(&self, other: &Member<T>) -> bool {
        let of = |member: &Member<T>| (member.state, member.weight);
        self.id == other.id
            && of(self) == of(other)
            && self.zone == other.zone
            && self.data == other.data
    }
}

/// Without its data.
impl<T> fmt::Debug for Member<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("weight", &self.weight)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}
