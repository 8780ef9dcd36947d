//! What stood at a layer of a setting, and the way back to it.
//!
//! Never undoes what somebody else has done since it was looked at.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::recipes::settings::keys::LayerKeys;
use crate::recipes::settings::publish::expect;
use crate::recipes::settings::record::PastRecord;
use crate::recipes::settings::setting::Setting;
use crate::recipes::settings::sheet::LayerSheet;
use crate::{Error, ErrorKind, Position, Result, View};

/// A value that stood at a layer, or stands there: of [`Setting::history`].
pub struct Past<T> {
    value: PastValue<T>,
    by: Option<String>,
    at: Option<String>,
}

/// What stood there.
#[non_exhaustive]
pub enum PastValue<T> {
    /// A value: what the setting is when that is laid over what is wider now.
    Value(Arc<T>),
    /// The layer said nothing.
    Cleared,
    /// One that is refused now, and why.
    Refused(String),
}

impl<T> Past<T> {
    /// What stood there.
    #[must_use]
    pub fn value(&self) -> &PastValue<T> {
        &self.value
    }

    /// Who published it; nobody knows of what was put by hand.
    #[must_use]
    pub fn by(&self) -> Option<&str> {
        self.by.as_deref()
    }

    /// When, by the clock of who published it, as RFC 3339 writes it. For people: nothing is decided by it.
    #[must_use]
    pub fn at(&self) -> Option<&str> {
        self.at.as_deref()
    }
}

impl<T> PastValue<T> {
    /// The value, if it is one.
    #[must_use]
    pub fn good(&self) -> Option<&Arc<T>> {
        match self {
            PastValue::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Setting<T> {
    /// What stood at a layer, as this process sees it: first what stands there, then what was replaced, from the newest on.
    /// What was put by hand is there about a second after a process that has this setting and layer saw it, or when it is
    /// published over. Local, without waiting.
    ///
    /// # Errors
    /// `Invalid` for what is no layer.
    pub fn history(&self, layer: &str) -> Result<Vec<Past<T>>> {
        let (keys, view) = (self.keys(layer)?, self.book.map.view());
        let sheet = LayerSheet::of(&view, &keys, &mut Vec::new());
        let records = standing_first(&sheet).into_iter();
        let mut past: Vec<_> = records
            .map(|record| self.past(&view, &keys, record))
            .collect();
        if let (true, Some(standing)) = (sheet.is_unreadable, past.first_mut()) {
            standing.value = PastValue::Refused("it is no JSON".to_owned());
        }
        Ok(past)
    }

    fn past(&self, view: &View<String, Value>, keys: &LayerKeys, record: PastRecord) -> Past<T> {
        let value = record
            .value
            .as_ref()
            .map(|json| self.slot.value_at(view, keys, json));
        Past {
            value: match value {
                Some(Ok(value)) => PastValue::Value(Arc::new(value)),
                Some(Err(why)) => PastValue::Refused(why),
                None => PastValue::Cleared,
            },
            by: record.by,
            at: record.at,
        }
    }

    /// Publishes what stood at a layer so many changes ago: 1 is what was replaced last. It counts as [`Setting::history`]
    /// does, and is a change itself, so that undoing it once more leads back. Undoing the first change there ever was leads to
    /// where the layer said nothing. Costs a round trip. Cancel safe, as every write is.
    ///
    /// # Errors
    /// `Conflict` when somebody else changed the layer since this process saw it; `Invalid` when the history does not go back
    /// so far, and when what stood there is refused now; otherwise as every write.
    pub async fn undo(&self, layer: &str, back: usize) -> Result<Position> {
        let (keys, map) = (self.keys(layer)?, &self.book.map);
        let sheet = LayerSheet::of(&map.view(), &keys, &mut Vec::new());
        let mut records = standing_first(&sheet);
        records.extend(before_the_first(&sheet));
        let Some(record) = records.get(back).filter(|_| back > 0) else {
            let (name, changes) = (self.name(), records.len().saturating_sub(1));
            let why = format!(
                "{name} at {layer} cannot be undone {back} changes back: {changes} are known"
            );
            return Err(Error::new(ErrorKind::Invalid, why));
        };
        let seen = sheet.value.as_ref().map(|stands| stands.since);
        let make = |_: &View<_, _>, _: Option<&Value>| Ok(record.value.clone());
        self.commit(&keys, make, |_, found| {
            expect(map, &keys.value, found, seen)
        })
        .await
    }
}

/// The history, with what stands there first if it is not in it: nothing in the place of what cannot be read, and then what
/// is shown instead.
fn standing_first(sheet: &LayerSheet) -> Vec<PastRecord> {
    let past = sheet.past.iter().map(|(_, past)| past.clone());
    let newest = sheet.past.first().and_then(|(_, past)| past.value.as_ref());
    let standing = sheet.value.as_ref().map(|stands| &*stands.is);
    let is_shown = standing.is_some() || !sheet.is_unreadable;
    let shown = (is_shown && newest != standing).then(|| PastRecord {
        value: standing.cloned(),
        ..PastRecord::default()
    });
    let unreadable = sheet.is_unreadable.then(PastRecord::default);
    unreadable.into_iter().chain(shown).chain(past).collect()
}

/// What was before the oldest change that is known, if that is the first there ever was: nothing.
fn before_the_first(sheet: &LayerSheet) -> Option<PastRecord> {
    let oldest = sheet.past.last().map(|(number, _)| *number);
    (oldest == Some(0)).then(PastRecord::default)
}

impl<T> fmt::Debug for Past<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past")
            .field("value", &self.value)
            .field("by", &self.by)
            .field("at", &self.at)
            .finish()
    }
}

/// Never shows the value.
impl<T> fmt::Debug for PastValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PastValue::Value(_) => f.write_str("Value(..)"),
            PastValue::Cleared => f.write_str("Cleared"),
            PastValue::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
        }
    }
}
