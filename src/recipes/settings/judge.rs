//! Whether a value is one of a setting: that it can be read, and that the program's own check takes it.
//!
//! Never lets a panic of the caller's types or checks out, and never says what a value was.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Decode, Encode, Error, ErrorKind, Json, Result};

type Check<T> = Box<dyn Fn(&T) -> Result<(), String> + Send + Sync>;

/// What a setting takes for a value.
pub(crate) struct Judge<T> {
    pub(crate) check: Option<Check<T>>,
}

impl<T: Serialize + DeserializeOwned> Judge<T> {
    /// The value that a JSON value is, or why it is none.
    pub(crate) fn read(&self, json: &Value) -> Result<T, String> {
        let read = || {
            // By way of the text, so that a reason is as discreet as those of the map.
            let text = Encode::<Value>::encode(&Json, json).map_err(|error| error.to_string())?;
            let value: T = Json.decode(&text).map_err(|error| error.to_string())?;
            self.checked(value)
        };
        contained(read).unwrap_or_else(|| Err("reading it, or its check, panicked".to_owned()))
    }

    fn checked(&self, value: T) -> Result<T, String> {
        match &self.check {
            Some(check) => check(&value).map(|()| value),
            None => Ok(value),
        }
    }

    /// A value as JSON, which is one as well when it is read again.
    ///
    /// # Errors
    /// `Codec` for what JSON cannot hold.
    pub(crate) fn write(&self, name: &str, value: &T) -> Result<Value> {
        let write = || serde_json::to_value(value).map_err(|_| "JSON cannot hold it");
        let written = contained(write).unwrap_or(Err("writing it panicked"));
        written.map_err(|why| {
            Error::new(
                ErrorKind::Codec,
                format!("a value of {name} cannot be written: {why}"),
            )
        })
    }
}

/// What code of the caller's answers; nothing when it panicked. The panic was told of where it happened, by the hook of the
/// process.
pub(crate) fn contained<R>(code: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

impl<T> fmt::Debug for Judge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge")
            .field("checks", &self.check.is_some())
            .finish()
    }
}
