//! The keys of settings: `{name}/{layer}`, and below it the roll-out and the history of the layer.
//!
//! Never makes one key of two names, and takes no key for its own that it would not have written.

use crate::recipes::name::escaped;
use crate::{Error, ErrorKind, Result};

/// The layer that all processes have.
pub(crate) const GLOBAL: &str = "global";

/// The kind of the layer that one process has alone.
pub(crate) const HOST: &str = "host";

/// Beyond every number of a history: ten digits, with room to count on.
const END: u64 = 9_000_000_000;

/// The name of a setting, as it stands in a key.
pub(crate) fn name(name: &str) -> Result<String> {
    escaped("setting", name)
}

/// The keys of one layer of one setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LayerKeys {
    /// As people call it: `region:eu`.
    pub(crate) layer: String,
    /// Where its value stands.
    pub(crate) value: String,
}

impl LayerKeys {
    /// Of a setting, whose name is escaped, and a layer as people call it.
    pub(crate) fn new(name: &str, layer: &str) -> Result<LayerKeys> {
        check_layer(layer)?;
        Ok(LayerKeys {
            layer: layer.to_owned(),
            value: format!("{name}/{}", escaped("layer", layer)?),
        })
    }

    pub(crate) fn rollout(&self) -> String {
        format!("{}/rollout", self.value)
    }

    /// What stands below the value.
    pub(crate) fn below(&self) -> String {
        format!("{}/", self.value)
    }

    /// The history's record of a number.
    pub(crate) fn past(&self, number: u64) -> String {
        format!("{}/was/{number:010}", self.value)
    }

    /// The number of a record of the history.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        let digits = key.strip_prefix(&self.value)?.strip_prefix("/was/")?;
        let is_number = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| digits.parse().ok())??;
        (number < END).then_some(number)
    }
}

/// The setting a key is of, as it stands in the key.
pub(crate) fn setting_of(key: &str) -> &str {
    key.split('/').next().unwrap_or(key)
}

/// `global`, or a kind and a value with a colon between.
fn check_layer(layer: &str) -> Result<()> {
    let has_parts = |(kind, value): (&str, &str)| !kind.is_empty() && !value.is_empty();
    if layer == GLOBAL || layer.split_once(':').is_some_and(has_parts) {
        return Ok(());
    }
    let why = format!("{layer:?} is no layer: they are called `global`, or `region:eu`");
    Err(Error::new(ErrorKind::Invalid, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_people_write() {
        let keys = LayerKeys::new(&name("http.timeout").unwrap(), "region:eu/1").unwrap();
        assert_eq!(keys.value, "http.timeout/region:eu%2F1");
        assert_eq!(keys.rollout(), "http.timeout/region:eu%2F1/rollout");
        assert_eq!(keys.past(12), "http.timeout/region:eu%2F1/was/0000000012");
        assert_eq!(keys.number(&keys.past(12)), Some(12));
        for key in [
            "was/12",
            "was/00000000012",
            "was/000000001x",
            "was/9999999999",
            "x/0000000012",
        ] {
            assert_eq!(keys.number(&format!("{}/{key}", keys.value)), None, "{key}");
        }
        assert_eq!(setting_of(&keys.value), "http.timeout");
    }

    #[test]
    fn what_is_no_layer_is_refused() {
        for layer in ["", "glob", "region", "region:", ":eu"] {
            let error = LayerKeys::new("a", layer).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Invalid, "{layer}");
        }
    }
}
