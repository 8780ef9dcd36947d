//! A setting whatever its type: what an HTTP interface needs of it.
//!
//! Never lets in what is not of the type: the setting refuses it.

use async_trait::async_trait;
use globe::settings::{PastValue, Setting};
use globe::{Error, ErrorKind, Position, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A setting, in JSON.
#[async_trait]
pub(crate) trait Knob: Send + Sync {
    fn name(&self) -> &str;

    /// The value, and why it is that.
    fn shown(&self) -> Value;

    /// What stands at a layer, and stood there, from the newest on.
    fn past(&self, layer: &str) -> Result<Value>;

    async fn put(&self, by: &str, layer: &str, value: Value) -> Result<Position>;

    async fn take_back(&self, by: &str, layer: &str, changes: usize) -> Result<Position>;
}

#[async_trait]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Knob for Setting<T> {
    fn name(&self) -> &str {
        Setting::name(self)
    }

    fn shown(&self) -> Value {
        json!({"value": self.get().value().as_ref(), "why": self.explain()})
    }

    fn past(&self, layer: &str) -> Result<Value> {
        let past = self.history(layer)?;
        let past = past.iter().map(|past| {
            let what = match past.value() {
                PastValue::Value(value) => json!({"value": value.as_ref()}),
                PastValue::Cleared => json!({"cleared": true}),
                PastValue::Refused(why) => json!({"refused": why}),
                _ => json!({}),
            };
            json!({"was": what, "by": past.by(), "at": past.at()})
        });
        Ok(past.collect())
    }

    async fn put(&self, by: &str, layer: &str, value: Value) -> Result<Position> {
        let value = serde_json::from_value(value).map_err(|why| {
            let why = format!("that is no value of {}: {why}", Setting::name(self));
            Error::new(ErrorKind::Invalid, why)
        })?;
        self.by(by).publish(layer, value).await
    }

    async fn take_back(&self, by: &str, layer: &str, changes: usize) -> Result<Position> {
        self.by(by).undo(layer, changes).await
    }
}
