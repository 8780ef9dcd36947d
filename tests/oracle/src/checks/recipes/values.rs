//! Which value the setting of a run has, as the records alone say: found again here, in a few lines, for the one setting that is
//! played, whose roll-outs are for nobody or for all.
//!
//! It shares no line with the library.

use serde_json::Value;

use crate::checks::timeline::State;
use crate::workload::{LIMIT, is_good};

/// What a layer of records says.
struct Layer {
    stands: Option<Option<u64>>,
    rollout: Option<u64>,
    /// The newest first; nothing where it was cleared.
    past: Vec<Option<u64>>,
}

/// The value, and whether it is what stands: else some process may remember another one for a while.
pub(crate) fn resolved(state: &State, layers: &[String]) -> (u64, bool) {
    let mut found = (0, true);
    for name in layers {
        let layer = layer(state, name, layers);
        found = match (layer.rollout, layer.stands) {
            (Some(value), _) | (None, Some(Some(value))) => (value, found.1),
            (None, None) => found,
            (None, Some(None)) => {
                let recorded = layer.past.iter().map_while(|past| *past);
                let good = recorded.into_iter().find(|past| is_good(*past));
                (good.unwrap_or(found.0), false)
            }
        };
    }
    found
}

fn layer(state: &State, name: &str, all: &[String]) -> Layer {
    let at = format!("{LIMIT}/{name}");
    let text = |key: &str| state.get(key).map(|stored| stored.value.tag.as_str());
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    let good = |value: Value| value.as_u64().filter(|value| is_good(*value));
    let was = format!("{at}/was/");
    let past = state.range(was.clone()..format!("{at}/was0")).rev();
    Layer {
        stands: text(&at).map(|text| json(text).and_then(good)),
        rollout: text(&format!("{at}/rollout"))
            .and_then(json)
            .filter(|rollout| selects(rollout, all))
            .and_then(|rollout| good(rollout["value"].clone())),
        past: past
            .filter_map(|(_, stored)| json(&stored.value.tag))
            .map(|past| past.get("value").map(|value| value.as_u64().unwrap_or(1)))
            .collect(),
    }
}

fn selects(rollout: &Value, layers: &[String]) -> bool {
    let asked = rollout["where"].as_object().into_iter().flatten();
    let mut asked = asked.map(|(kind, value)| format!("{kind}:{}", value.as_str().unwrap_or("")));
    rollout["percent"] == 100 && asked.all(|layer| layers.contains(&layer))
}

/// The newest of the history of a layer: what, and by whom.
pub(crate) fn newest(state: &State, layer: &str) -> Option<(Option<u64>, Option<String>)> {
    let was = format!("{LIMIT}/{layer}/was/");
    let end = format!("{LIMIT}/{layer}/was0");
    let (_, stored) = state.range(was..end).next_back()?;
    let past: Value = serde_json::from_str(&stored.value.tag).ok()?;
    Some((
        past["value"].as_u64(),
        past["by"].as_str().map(str::to_owned),
    ))
}

/// What stands at a layer.
pub(crate) fn standing<'a>(state: &'a State, layer: &str) -> Option<&'a str> {
    let stored = state.get(&format!("{LIMIT}/{layer}"))?;
    Some(&stored.value.tag)
}
