//! What a view holds of one setting: for each layer of a scope its value, its roll-out and its history.
//!
//! Never judges a value: it only finds records, and says which cannot be read as what they should be.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::recipes::settings::keys::LayerKeys;
use crate::recipes::settings::record::{PastRecord, RolloutRecord};
use crate::{Position, Version, View};

/// The records of one setting, for one process.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    /// From the widest layer to the most specific.
    pub(crate) layers: Vec<LayerSheet>,
    /// What there is to complain of: where, and why.
    pub(crate) complaints: Vec<(String, String)>,
    pub(crate) position: Position,
}

/// The records of one layer of one setting.
#[derive(Clone, Debug)]
pub(crate) struct LayerSheet {
    pub(crate) keys: LayerKeys,
    /// The value that stands there.
    pub(crate) value: Option<Stands<Arc<Value>>>,
    /// Whether what stands there is no JSON: the value is then what the map shows in its place, if anything.
    pub(crate) is_unreadable: bool,
    pub(crate) rollout: Option<Stands<RolloutRecord>>,
    /// The history, the newest first.
    pub(crate) past: Vec<(u64, PastRecord)>,
    /// The newest number of the history that is taken, also if its record cannot be read.
    pub(crate) newest: Option<u64>,
}

/// Something that stands in the map, and the write that it is.
#[derive(Clone, Debug)]
pub(crate) struct Stands<T> {
    pub(crate) is: T,
    pub(crate) since: Version,
}

impl Sheet {
    /// Of a view, for these layers. O(log n), and what there is of the setting.
    pub(crate) fn of(view: &View<String, Value>, layers: &[LayerKeys]) -> Sheet {
        let mut sheet = Sheet {
            layers: Vec::with_capacity(layers.len()),
            complaints: Vec::new(),
            position: view.position(),
        };
        for keys in layers {
            let layer = LayerSheet::of(view, keys, &mut sheet.complaints);
            sheet.layers.push(layer);
        }
        sheet
    }
}

impl LayerSheet {
    /// Of a view. What cannot be read is complained of.
    pub(crate) fn of(
        view: &View<String, Value>,
        keys: &LayerKeys,
        complaints: &mut Vec<(String, String)>,
    ) -> LayerSheet {
        let below = keys.below();
        let mut layer = LayerSheet {
            keys: keys.clone(),
            value: view.get_entry(&keys.value).map(|entry| Stands {
                is: Arc::clone(entry.value()),
                since: entry.version(),
            }),
            is_unreadable: false,
            rollout: None,
            past: Vec::new(),
            newest: None,
        };
        let rollout = keys.rollout();
        for (key, entry) in view.prefix(below.as_str()) {
            if let Some(number) = keys.number(key) {
                layer.newest = layer.newest.max(Some(number));
                match read::<PastRecord>(entry.value()) {
                    Some(past) => layer.past.push((number, past)),
                    None => complaints.push((key.clone(), "no record of a history".to_owned())),
                }
            } else if *key == rollout {
                let record = read::<RolloutRecord>(entry.value());
                match record.filter(|record| record.percent().is_some()) {
                    Some(is) => {
                        let since = entry.version();
                        layer.rollout = Some(Stands { is, since });
                    }
                    None => complaints.push((key.clone(), "no roll-out".to_owned())),
                }
            } else {
                complaints.push((key.clone(), "no record of a setting".to_owned()));
            }
        }
        layer
            .past
            .sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        for bad in view.quarantine() {
            let key = String::from_utf8_lossy(bad.key());
            if *key == keys.value || key.starts_with(&below) {
                layer.is_unreadable |= *key == keys.value;
                layer.newest = layer.newest.max(keys.number(&key));
                complaints.push((key.into_owned(), bad.reason.to_string()));
            }
        }
        layer
    }

    /// Whether something stands there: what it is worth is not known here.
    pub(crate) fn is_taken(&self) -> bool {
        self.value.is_some() || self.is_unreadable
    }

    /// What stands there, if the history says so: who published it, and when.
    pub(crate) fn published(&self) -> Option<&PastRecord> {
        let (_, newest) = self.past.first()?;
        (newest.value.as_ref() == self.value.as_ref().map(|value| &*value.is)).then_some(newest)
    }
}

fn read<T: DeserializeOwned>(json: &Value) -> Option<T> {
    T::deserialize(json).ok()
}
