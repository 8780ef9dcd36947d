//! What stands below the value of a layer, as JSON: the records of its history, and its roll-out.
//!
//! Never what stands at the layer itself: that is the bare value, so that anybody can write it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};

use crate::{Error, ErrorKind, Result};

/// One value that stood at a layer, and that stands there still if it is the newest. Without one the layer had been cleared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PastRecord {
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) value: Option<Value>,
    /// Who published it; nobody knows of what was put by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// When, by the clock of who published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
}

/// A value for some of those who have the layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RolloutRecord {
    #[serde(deserialize_with = "whatever")]
    pub(crate) value: Value,
    pub(crate) percent: Number,
    /// What they have to have.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) only: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
}

impl RolloutRecord {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|error| {
            Error::new(ErrorKind::Codec, "a roll-out cannot be written").with_source(error)
        })
    }

    /// How many percent; nothing, of what is no percentage.
    pub(crate) fn percent(&self) -> Option<f64> {
        let percent = self.percent.as_f64()?;
        (0.0..=100.0).contains(&percent).then_some(percent)
    }
}

/// What is there, also if it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Must be there, be it `null`.
fn whatever<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Value::deserialize(deserializer)
}

/// A percentage as it is written; `Invalid` for what is none.
pub(crate) fn checked(percent: f64) -> Result<Number> {
    let allowed = (0.0..=100.0).contains(&percent);
    number(percent).filter(|_| allowed).ok_or_else(|| {
        let why = format!("{percent} is no percentage: 0 to 100 is allowed");
        Error::new(ErrorKind::Invalid, why)
    })
}

/// A percentage as people write it: `10`, not `10.0`.
fn number(percent: f64) -> Option<Number> {
    let whole = (0..=100_u64).find(|whole| *whole as f64 == percent);
    whole
        .map(Number::from)
        .or_else(|| Number::from_f64(percent))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_a_value_and_a_missing_one_is_none() {
        let read = |json| serde_json::from_value::<PastRecord>(json).unwrap();
        assert_eq!(read(json!({"value":null})).value, Some(Value::Null));
        assert_eq!(read(json!({})).value, None);
        let written = serde_json::to_value(read(json!({"value":null}))).unwrap();
        assert_eq!(written, json!({"value":null}));
        assert_eq!(
            serde_json::to_value(PastRecord::default()).unwrap(),
            json!({})
        );
    }

    #[test]
    fn a_percentage_is_written_as_people_do() {
        let written = |percent| number(percent).map(|number| number.to_string());
        assert_eq!(written(10.0).as_deref(), Some("10"));
        assert_eq!(written(0.25).as_deref(), Some("0.25"));
        assert_eq!(written(f64::NAN), None);
    }
}
