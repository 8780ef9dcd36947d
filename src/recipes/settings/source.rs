//! Where a value of a setting comes from.
//!
//! Never a guess: it is what was laid over everything else when the value was found.

use std::fmt;

/// Where a value of a setting comes from: the most specific layer that has a say, and what of it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// No layer says anything: it is the default of the program.
    Default,
    /// What stands at this layer.
    Layer(String),
    /// The roll-out at this layer, which selects this process.
    Rollout(String),
    /// What stands at this layer is refused: it is the last good value before it.
    LastGood(String),
}

impl Source {
    /// The layer; `None` of a default.
    #[must_use]
    pub fn layer(&self) -> Option<&str> {
        match self {
            Source::Default => None,
            Source::Layer(layer) | Source::Rollout(layer) | Source::LastGood(layer) => Some(layer),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Layer(layer) => f.write_str(layer),
            Source::Rollout(layer) => write!(f, "{layer}, rolled out"),
            Source::LastGood(layer) => write!(f, "{layer}, last good"),
        }
    }
}

impl serde::Serialize for Source {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
