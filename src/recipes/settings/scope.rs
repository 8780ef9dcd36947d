//! What a process is, to settings: its instance, the layers it has, and the labels by which a roll-out selects it.
//!
//! Never changes while settings are open: a process does not move.

use std::collections::BTreeMap;

use crate::recipes::hash::hash;
use crate::recipes::settings::keys::{GLOBAL, HOST};
use crate::{Error, ErrorKind, Result};

/// What a process is. It has the layer `global`, then those it is given, each more specific than the one before, and at last
/// `host:{instance}`, which it has alone.
///
/// ```
/// use globe::settings::Scope;
///
/// let scope = Scope::new("web-7").layer("region", "eu").layer("zone", "eu-1").label("canary", "yes");
/// assert_eq!(scope.layers(), ["global", "region:eu", "zone:eu-1", "host:web-7"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    instance: String,
    layers: Vec<(String, String)>,
    labels: Vec<(String, String)>,
}

impl Scope {
    /// A process of this name, which no other has at the same time: it decides in which share of a roll-out it is.
    #[must_use]
    pub fn new(instance: impl Into<String>) -> Scope {
        Scope {
            instance: instance.into(),
            layers: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Adds the layer `{kind}:{value}`, more specific than all before. A roll-out can select by it as well.
    #[must_use]
    pub fn layer(mut self, kind: impl Into<String>, value: impl Into<String>) -> Scope {
        self.layers.push((kind.into(), value.into()));
        self
    }

    /// Adds what only selects: roll-outs can ask for it, but no layer has that name.
    #[must_use]
    pub fn label(mut self, kind: impl Into<String>, value: impl Into<String>) -> Scope {
        self.labels.push((kind.into(), value.into()));
        self
    }

    /// The name of the process.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Its layers, from the widest to the most specific.
    #[must_use]
    pub fn layers(&self) -> Vec<String> {
        let own = (HOST.to_owned(), self.instance.clone());
        let named = self.layers.iter().chain([&own]);
        let named = named.map(|(kind, value)| format!("{kind}:{value}"));
        [GLOBAL.to_owned()].into_iter().chain(named).collect()
    }

    /// Refuses what would make two layers of one, or none of one.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Invalid, why));
        if self.instance.is_empty() {
            return refuse("the instance of a scope has no characters".to_owned());
        }
        let mut kinds = vec![HOST, GLOBAL];
        for (kind, value) in self.layers.iter().chain(&self.labels) {
            if kind.is_empty() || value.is_empty() || kind.contains(':') {
                return refuse(format!(
                    "{kind:?} with {value:?} is no layer or label: both have characters, and the first has no colon"
                ));
            }
            if kinds.contains(&kind.as_str()) {
                return refuse(format!("the scope has more than one {kind}"));
            }
            kinds.push(kind);
        }
        Ok(())
    }

    /// Whether this is a process that has all of these layers and labels.
    pub(crate) fn has(&self, selector: &BTreeMap<String, String>) -> bool {
        selector.iter().all(|(kind, value)| {
            let is_host = kind == HOST && *value == self.instance;
            let mut named = self.layers.iter().chain(&self.labels);
            is_host || named.any(|(one, other)| one == kind && other == value)
        })
    }

    /// Whether this process is among so many percent of all. Who is in a share is in every larger one: the place of a process
    /// is `hash(name, 0, instance)` modulo 10,000 (64 bits of FNV-1a, finished as murmur3 does), and the share all places
    /// below a hundred times the percentage.
    pub(crate) fn is_among(&self, name: &str, percent: f64) -> bool {
        let place = hash(&[name.as_bytes(), &[0], self.instance.as_bytes()].concat()) % 10_000;
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        f64::from(place) < (percent * 100.0).round()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_share_keeps_those_in() {
        let among = |percent: f64| {
            let is_in = move |number: &u32| {
                Scope::new(format!("web-{number}")).is_among("timeout", percent)
            };
            (0..1_000_u32).filter(is_in).collect::<Vec<_>>()
        };
        let mut before = Vec::new();
        for percent in [0.0, 0.5, 1.0, 10.0, 50.0, 99.0, 100.0] {
            let now = among(percent);
            assert!(
                before.iter().all(|number| now.contains(number)),
                "{percent}"
            );
            let expected = percent * 10.0;
            assert!(
                (now.len() as f64 - expected).abs() < 50.0,
                "{percent}: {}",
                now.len()
            );
            before = now;
        }
        assert!(among(0.0).is_empty());
        assert_eq!(among(100.0).len(), 1_000);
    }

    #[test]
    fn the_place_of_a_process_is_the_same_in_every_version() {
        let place = |instance: &str| {
            let below = |percent: &u32| {
                Scope::new(instance).is_among("http.timeout", f64::from(*percent) / 100.0)
            };
            (1..=10_000).find(below)
        };
        assert_eq!((place("web-7"), place("web-8")), (Some(4_113), Some(8_088)));
    }
}
