//! Publishing a setting: checked, in one transaction with its history, and shown here before it returns.
//!
//! Never writes over what somebody else did meanwhile where that was to be undone.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::recipes::settings::append::{Found, append};
use crate::recipes::settings::keys::LayerKeys;
use crate::recipes::settings::merge::merged;
use crate::recipes::settings::record::PastRecord;
use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::sheet::LayerSheet;
use crate::recipes::settings::slot::{Declared, Records};
use crate::recipes::settings::stamp;
use crate::{Conflict, Error, ErrorKind, FailedPrecondition, Standing};
use crate::{Position, Result, Txn, Version, View};

/// Publishing: through the log, visible here on return, unless a more specific layer hides it.
///
/// Each is one transaction of the layer and its history, and costs a round trip. It fails as every write does. Cancel safe, as
/// every write is.
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Setting<T> {
    /// Publishes a value at a layer: `global`, or a kind and a value, as `region:eu`. Whatever stands there is replaced, and
    /// kept in the history. A value with fields then stands there whole, with `null` for fields that only what is wider has now:
    /// [`Setting::patch`] says only what is different.
    ///
    /// # Errors
    /// `Invalid` for what is no layer, and for a value that the check refuses, laid over what is wider there as this process
    /// sees it, or in which a field is `null` that may not be missing; `Codec` for one that JSON cannot hold; otherwise as every
    /// write.
    pub async fn publish(&self, layer: &str, value: T) -> Result<Position> {
        let json = self.slot.judge.write(self.name(), &value)?;
        let keys = self.keys(layer)?;
        let make = |view: &View<_, _>, _: Option<&Value>| {
            let whole = self.slot.whole(view, &keys, &json)?;
            Ok(Some(whole))
        };
        self.commit(&keys, make, |_, _| Ok(())).await
    }

    /// Publishes some fields at a layer, laid over what stands at this layer (RFC 7396): others stay as they are there. A field
    /// that is `null` is none of this layer any more: what is wider decides.
    ///
    /// # Errors
    /// As [`Setting::publish`].
    pub async fn patch(&self, layer: &str, fields: impl Into<Value>) -> Result<Position> {
        let (keys, fields) = (self.keys(layer)?, fields.into());
        let lay = |_: &View<_, _>, standing: Option<&Value>| {
            let standing = standing.cloned().unwrap_or_default();
            Ok(Some(merged(standing, &fields)))
        };
        self.commit(&keys, lay, |_, _| Ok(())).await
    }

    /// Says nothing at a layer any more: what is wider decides. Clearing what says nothing is no error.
    ///
    /// # Errors
    /// `Invalid` for what is no layer; otherwise as every write.
    pub async fn clear(&self, layer: &str) -> Result<Position> {
        let keys = self.keys(layer)?;
        self.commit(&keys, |_, _| Ok(None), |_, _| Ok(())).await
    }

    pub(crate) fn keys(&self, layer: &str) -> Result<LayerKeys> {
        LayerKeys::new(self.slot.key(), layer)
    }

    /// Refuses what would not be good at a layer.
    pub(crate) fn check_at(
        &self,
        view: &View<String, Value>,
        keys: &LayerKeys,
        patch: &Value,
    ) -> Result<()> {
        self.slot
            .value_at(view, keys, patch)
            .map(drop)
            .map_err(|why| {
                let why = format!(
                    "a value of {} is refused at {}: {why}",
                    self.name(),
                    keys.layer
                );
                Error::new(ErrorKind::Invalid, why)
            })
    }

    /// Makes of what stands at a layer what is to stand there, and remembers both. `also` is in the same transaction.
    pub(crate) async fn commit(
        &self,
        keys: &LayerKeys,
        make: impl Fn(&View<String, Value>, Option<&Value>) -> Result<Option<Value>>,
        also: impl Fn(&mut Txn<'_>, &Found) -> Result<()>,
    ) -> Result<Position> {
        let map = &self.book.map;
        let committed = map.transact(|txn| {
            let found = Found::at(txn, map, &keys.value)?;
            also(txn, &found)?;
            // Not older than what was found.
            let view = map.view();
            let layer = LayerSheet::of(&view, keys, &mut Vec::new());
            let standing = match &found {
                Found::Entry(entry) => entry.as_ref().map(|entry| entry.value().clone()),
                // What is shown in the place of what cannot be read.
                Found::Unreadable => layer.value.as_ref().map(|stands| stands.is.clone()),
            };
            let next = make(&view, standing.as_deref())?;
            if let Some(next) = &next {
                self.check_at(&view, keys, next)?;
                txn.put(map, keys.value.as_str(), next.clone())?;
            } else if standing.is_some() || matches!(found, Found::Unreadable) {
                txn.delete(map, keys.value.as_str())?;
            } else {
                return Ok(());
            }
            let published = PastRecord {
                value: next,
                by: Some(self.publisher()),
                at: Some(stamp::now()),
            };
            let replaced = self.replaced(&view, &layer, standing.as_deref());
            append(
                txn,
                map,
                keys,
                self.book.keep,
                replaced.into_iter().chain([published]),
            )
        });
        let position = committed.await?.position();
        self.book.refresh(|key| key == self.slot.key());
        Ok(position)
    }

    /// What is replaced, if the history does not have it: what was put by hand, or the last good value before what is bad.
    fn replaced(
        &self,
        view: &View<String, Value>,
        layer: &LayerSheet,
        standing: Option<&Value>,
    ) -> Option<PastRecord> {
        let newest = layer.past.first();
        let recorded = newest.and_then(|(_, past)| past.value.as_ref());
        let replaced = match standing {
            Some(value) if self.check_at(view, &layer.keys, value).is_ok() => Some(value.clone()),
            None if !layer.is_unreadable => None,
            _ => {
                let missing = self.slot.unrecorded().into_iter();
                let mut here = missing.filter(|missing| missing.layer == layer.keys.layer);
                return here.find_map(|missing| missing.value).map(of_nobody);
            }
        };
        (recorded != replaced.as_ref()).then(|| PastRecord {
            value: replaced,
            ..PastRecord::default()
        })
    }
}

fn of_nobody(value: Value) -> PastRecord {
    PastRecord {
        value: Some(value),
        ..PastRecord::default()
    }
}

/// Refuses to go on from what does not stand there any more.
pub(crate) fn expect(
    map: &Records,
    key: &str,
    found: &Found,
    expected: Option<Version>,
) -> Result<()> {
    if found.is_at(expected) {
        return Ok(());
    }
    let standing = match found {
        Found::Entry(Some(entry)) => Some(Standing::new(
            entry.created().revision(),
            entry.version().revision(),
        )),
        _ => None,
    };
    let failed = FailedPrecondition::new(map.keyspace().clone(), key.to_owned(), standing);
    Err(Error::conflict(Conflict::new(
        map.view().position(),
        vec![failed],
    )))
}
