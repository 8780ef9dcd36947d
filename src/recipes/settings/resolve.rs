//! Which value a setting has for a process: a pure function of its records, so that all who see the same agree.
//!
//! Never waits, and knows neither a map nor a clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::recipes::settings::merge::merged;
use crate::recipes::settings::record::PastRecord;
use crate::recipes::settings::scope::Scope;
use crate::recipes::settings::sheet::{LayerSheet, Sheet};
use crate::recipes::settings::source::Source;
use crate::{Position, Version};

/// The values this process has seen stand at a layer and be good, each with the newest number of the history at that time.
/// It counts only until the history goes on, which all see.
pub(crate) type Memory = BTreeMap<String, (Option<u64>, Arc<Value>)>;

/// What a setting is, and why.
#[derive(Debug)]
pub(crate) struct Resolved<T> {
    /// The value; `None` when it is the default.
    pub(crate) value: Option<T>,
    pub(crate) findings: Findings,
    pub(crate) memory: Memory,
}

/// Why a setting is what it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// The value as JSON: the default with everything that applies laid over it.
    pub(crate) json: Value,
    /// What applies, from the widest layer to the most specific.
    pub(crate) applied: Vec<Applied>,
    /// What there is to complain of: where, and why.
    pub(crate) complaints: Vec<(String, String)>,
    /// What stands, or stood and was good, and is missing in the history.
    pub(crate) unrecorded: Vec<Unrecorded>,
    pub(crate) position: Position,
}

/// What one layer contributes.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) source: Source,
    pub(crate) patch: Value,
    pub(crate) by: Option<String>,
    pub(crate) at: Option<String>,
    /// The write it came with, if it stands.
    pub(crate) since: Option<Version>,
}

/// What is missing in the history of a layer: the value that is to be added, and what was seen when that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unrecorded {
    pub(crate) layer: String,
    pub(crate) value: Option<Value>,
    pub(crate) stands: Option<Version>,
    pub(crate) newest: Option<u64>,
}

impl Findings {
    pub(crate) fn source(&self) -> Source {
        let narrowest = self.applied.last();
        narrowest.map_or(Source::Default, |applied| applied.source.clone())
    }
}

/// Lays the layers over the default, from the widest to the most specific. Of each layer it takes the roll-out if it selects
/// this process, else what stands there, else the last good value before that: the first that is good over what is wider.
pub(crate) fn resolve<T>(
    (name, scope): (&str, &Scope),
    sheet: &Sheet,
    default: &Value,
    memory: &Memory,
    judge: impl Fn(&Value) -> Result<T, String>,
) -> Resolved<T> {
    let mut resolved = Resolved {
        value: None,
        findings: Findings {
            json: default.clone(),
            complaints: sheet.complaints.clone(),
            position: sheet.position,
            ..Findings::default()
        },
        memory: Memory::new(),
    };
    for layer in &sheet.layers {
        let known = memory.get(&layer.keys.layer);
        let known = known.filter(|(newest, _)| *newest == layer.newest);
        let mut one = One {
            layer,
            known: known.map(|(_, value)| value),
            judge: &judge,
            resolved: &mut resolved,
        };
        one.lay(layer.rollout.is_some() && is_selected(layer, name, scope));
    }
    resolved
}

fn is_selected(layer: &LayerSheet, name: &str, scope: &Scope) -> bool {
    layer.rollout.as_ref().is_some_and(|rollout| {
        let percent = rollout.is.percent().unwrap_or_default();
        scope.has(&rollout.is.only) && scope.is_among(name, percent)
    })
}

/// One layer that is being laid over the wider ones.
struct One<'a, T, J> {
    layer: &'a LayerSheet,
    /// The last good value this process saw there.
    known: Option<&'a Arc<Value>>,
    judge: &'a J,
    resolved: &'a mut Resolved<T>,
}

impl<T, J: Fn(&Value) -> Result<T, String>> One<'_, T, J> {
    fn lay(&mut self, is_selected: bool) {
        let below = self.resolved.findings.json.clone();
        let standing = self.standing(&below);
        let is_laid = is_selected && self.lay_rollout(&below);
        match standing {
            Some((value, json)) if !is_laid => {
                let layer = self.layer.keys.layer.clone();
                let source = match self.layer.is_unreadable {
                    true => Source::LastGood(layer),
                    false => Source::Layer(layer),
                };
                let published = self.layer.published().cloned();
                self.apply(source, published, (value, json));
            }
            None if !is_laid && self.layer.is_taken() => self.lay_last_good(&below),
            _ => {}
        }
    }

    /// What stands there, if it is good. That is found out also where a roll-out hides it, for the history.
    fn standing(&mut self, below: &Value) -> Option<(T, Value)> {
        let Some(stands) = &self.layer.value else {
            if self.layer.is_unreadable {
                self.keep_known();
                return None;
            }
            // Somebody took it away by hand, if the history ends with a value.
            if let Some((_, PastRecord { value: Some(_), .. })) = self.layer.past.first() {
                self.is_missing(None);
            }
            return None;
        };
        let json = merged(below.clone(), &stands.is);
        match (self.judge)(&json) {
            Ok(value) => {
                self.remember(&stands.is);
                if self.layer.published().is_none() {
                    self.is_missing(Some(Value::clone(&stands.is)));
                }
                Some((value, json))
            }
            Err(why) => {
                self.complain(self.layer.keys.value.clone(), why);
                self.keep_known();
                None
            }
        }
    }

    fn remember(&mut self, value: &Arc<Value>) {
        let seen = (self.layer.newest, Arc::clone(value));
        let name = self.layer.keys.layer.clone();
        self.resolved.memory.insert(name, seen);
    }

    /// What was good before goes on being remembered, and is to be in the history.
    fn keep_known(&mut self) {
        let Some(known) = self.known else {
            return;
        };
        self.remember(known);
        let newest = self.layer.past.first();
        let recorded = newest.and_then(|(_, past)| past.value.as_ref());
        if recorded != Some(&**known) {
            self.is_missing(Some(Value::clone(known)));
        }
    }

    fn lay_rollout(&mut self, below: &Value) -> bool {
        let Some(rollout) = &self.layer.rollout else {
            return false;
        };
        let json = merged(below.clone(), &rollout.is.value);
        match (self.judge)(&json) {
            Ok(value) => {
                let record = PastRecord {
                    value: Some(rollout.is.value.clone()),
                    by: rollout.is.by.clone(),
                    at: rollout.is.at.clone(),
                };
                let source = Source::Rollout(self.layer.keys.layer.clone());
                self.apply(source, Some(record), (value, json));
                true
            }
            Err(why) => {
                self.complain(self.layer.keys.rollout(), why);
                false
            }
        }
    }

    /// The last good value: what this process saw, else the newest good one of the history, back to where it was cleared.
    fn lay_last_good(&mut self, below: &Value) {
        let known = self.known.map(|known| PastRecord {
            value: Some(Value::clone(known)),
            ..PastRecord::default()
        });
        let past = self.layer.past.iter().map(|(_, past)| past.clone());
        for past in known.into_iter().chain(past) {
            let Some(patch) = &past.value else {
                return;
            };
            let json = merged(below.clone(), patch);
            if let Ok(value) = (self.judge)(&json) {
                let source = Source::LastGood(self.layer.keys.layer.clone());
                return self.apply(source, Some(past), (value, json));
            }
        }
    }

    fn apply(&mut self, source: Source, record: Option<PastRecord>, (value, json): (T, Value)) {
        let since = match &source {
            Source::Layer(_) => self.layer.value.as_ref().map(|stands| stands.since),
            Source::Rollout(_) => self.layer.rollout.as_ref().map(|stands| stands.since),
            _ => None,
        };
        let record = record.unwrap_or_default();
        let stands = self
            .layer
            .value
            .as_ref()
            .map(|stands| Value::clone(&stands.is));
        self.resolved.findings.applied.push(Applied {
            source,
            patch: record.value.or(stands).unwrap_or_default(),
            by: record.by,
            at: record.at,
            since,
        });
        self.resolved.findings.json = json;
        self.resolved.value = Some(value);
    }

    fn complain(&mut self, at: String, why: String) {
        self.resolved.findings.complaints.push((at, why));
    }

    fn is_missing(&mut self, value: Option<Value>) {
        self.resolved.findings.unrecorded.push(Unrecorded {
            layer: self.layer.keys.layer.clone(),
            value,
            stands: self.layer.value.as_ref().map(|stands| stands.since),
            newest: self.layer.newest,
        });
    }
}
