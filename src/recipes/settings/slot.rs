//! One declared setting, as the process keeps it: what it shows, why, and whom to tell.
//!
//! Never runs code of the caller's under its lock, and never goes back to an older view of the map.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::recipes::settings::judge::{Judge, contained};
use crate::recipes::settings::keys::LayerKeys;
use crate::recipes::settings::merge::{covering, merged};
use crate::recipes::settings::problem::Problem;
use crate::recipes::settings::resolve::{Findings, Memory, Resolved, Unrecorded, resolve};
use crate::recipes::settings::scope::Scope;
use crate::recipes::settings::sheet::Sheet;
use crate::recipes::settings::source::Source;
use crate::{Error, ErrorKind, Globe, Result, View};

/// The map settings stand in: bare values, and what belongs to them.
pub(crate) type Records = Globe<String, Value>;

/// What is shown of a setting at one time.
pub(crate) struct Shown<T> {
    pub(crate) value: Arc<T>,
    pub(crate) source: Source,
}

/// What is told to those who follow a setting.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// How often the value has changed.
    changes: u64,
    pub(crate) has_ended: bool,
}

pub(crate) struct Slot<T> {
    pub(crate) name: String,
    key: String,
    scope: Scope,
    layers: Vec<LayerKeys>,
    pub(crate) judge: Judge<T>,
    default: Arc<T>,
    default_json: Value,
    pub(crate) shown: Arc<ArcSwap<Shown<T>>>,
    state: Mutex<State>,
    pub(crate) told: watch::Sender<Told>,
    /// What went wrong where a value was applied.
    reports: Mutex<Reports>,
}

/// Of those who apply values, by their numbers: what is wrong, if anything is.
#[derive(Default)]
struct Reports {
    next: u64,
    standing: BTreeMap<u64, Option<Problem>>,
}

#[derive(Default)]
struct State {
    /// Looks at the map are numbered in their order, so that an older one that takes longer is not shown over a newer one.
    looks: u64,
    shown: u64,
    memory: Memory,
    findings: Arc<Findings>,
}

/// A setting of whatever type.
pub(crate) trait Declared: Send + Sync {
    /// Its name, as it stands in keys.
    fn key(&self) -> &str;
    /// Looks at the map, and shows what it finds.
    fn refresh(&self, map: &Records);
    /// What is missing in the history.
    fn unrecorded(&self) -> Vec<Unrecorded>;
    fn problems(&self) -> Vec<Problem>;
    /// Nothing will change any more.
    fn end(&self);
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Slot<T> {
    /// Shows the default, so far.
    ///
    /// # Errors
    /// `Invalid` for a name that is none, and for a default that the check refuses; `Codec` for one that JSON cannot hold.
    pub(crate) fn new(
        name: &str,
        (key, scope): (String, &Scope),
        judge: Judge<T>,
        default: T,
    ) -> Result<Slot<T>> {
        let default_json = judge.write(name, &default)?;
        judge.read(&default_json).map_err(|why| {
            Error::new(
                ErrorKind::Invalid,
                format!("the default of {name} is refused: {why}"),
            )
        })?;
        let layers = scope.layers();
        let layers = layers.iter().map(|layer| LayerKeys::new(&key, layer));
        let default = Arc::new(default);
        let shown = Shown {
            value: Arc::clone(&default),
            source: Source::Default,
        };
        let findings = Findings {
            json: default_json.clone(),
            ..Findings::default()
        };
        Ok(Slot {
            name: name.to_owned(),
            layers: layers.collect::<Result<_>>()?,
            key,
            scope: scope.clone(),
            judge,
            default,
            default_json,
            shown: Arc::new(ArcSwap::from_pointee(shown)),
            state: Mutex::new(State {
                findings: Arc::new(findings),
                ..State::default()
            }),
            told: watch::Sender::default(),
            reports: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resolved(
        &self,
        view: &View<String, Value>,
        layers: &[LayerKeys],
        memory: &Memory,
    ) -> Resolved<T> {
        let sheet = Sheet::of(view, layers);
        let who = (&*self.name, &self.scope);
        resolve(who, &sheet, &self.default_json, memory, |json| {
            self.judge.read(json)
        })
    }

    /// Why the setting is what it is.
    pub(crate) fn findings(&self) -> Arc<Findings> {
        Arc::clone(&self.state().findings)
    }

    /// What is wider than a layer, as this process sees it, as JSON.
    fn below(&self, view: &View<String, Value>, layer: &LayerKeys) -> Value {
        let own = self.layers.iter().position(|own| own.layer == layer.layer);
        // Of others' layers it is known that the global one is wider.
        let wider = self.layers.get(..own.unwrap_or(1)).unwrap_or_default();
        self.resolved(view, wider, &Memory::new()).findings.json
    }

    /// The value that a layer's is, laid over what is wider there; or why it is none.
    pub(crate) fn value_at(
        &self,
        view: &View<String, Value>,
        layer: &LayerKeys,
        patch: &Value,
    ) -> Result<T, String> {
        self.judge.read(&merged(self.below(view, layer), patch))
    }

    /// What has to stand at a layer so that a value is shown there, whatever is wider.
    ///
    /// # Errors
    /// `Invalid` for one that is refused, or that no patch can make of what is wider; `Codec` for one that JSON cannot hold.
    pub(crate) fn whole(
        &self,
        view: &View<String, Value>,
        layer: &LayerKeys,
        value: &Value,
    ) -> Result<Value> {
        let below = self.below(view, layer);
        let patch = covering(&below, value);
        let refuse = |why: &str| {
            let why = format!(
                "a value of {} is refused at {}: {why}",
                self.name, layer.layer
            );
            Error::new(ErrorKind::Invalid, why)
        };
        let made = self
            .judge
            .read(&merged(below, &patch))
            .map_err(|why| refuse(&why))?;
        if self.judge.write(&self.name, &made)? != *value {
            return Err(refuse(
                "it would not be read as it was written, for a field of it is null",
            ));
        }
        Ok(patch)
    }

    /// Shows what was found at a look, unless a later one was faster. What was shown before is dropped outside of the lock:
    /// it is the caller's.
    fn show(&self, look: u64, resolved: Resolved<T>) {
        let source = resolved.findings.source();
        let value = resolved.value.map(Arc::new);
        let findings = Arc::new(resolved.findings);
        let (before, has_changed, unused);
        {
            let mut state = self.state();
            if look < state.shown {
                drop(state);
                contained(|| drop(value));
                return;
            }
            state.shown = look;
            state.memory = resolved.memory;
            has_changed = state.findings.json != findings.json;
            state.findings = findings;
            let standing = Arc::clone(&self.shown.load().value);
            let (next, other) = match value {
                // The same value again: who keeps the old one need not let it go.
                value if !has_changed => (standing, value),
                Some(value) => (value, Some(standing)),
                None => (Arc::clone(&self.default), Some(standing)),
            };
            unused = other;
            let value = next;
            before = self.shown.swap(Arc::new(Shown { value, source }));
        }
        contained(|| drop((before, unused)));
        if has_changed {
            // A waker may be anything.
            contained(|| self.told.send_modify(|told| told.changes += 1));
        }
    }

    /// A number for who applies values, to report by until it is forgotten.
    pub(crate) fn reporter(&self) -> u64 {
        let mut reports = self.reports();
        reports.next += 1;
        let number = reports.next;
        reports.standing.insert(number, None);
        number
    }

    /// What is wrong where a value is applied; nothing any more, without a reason. Whoever was forgotten meanwhile, while it
    /// still ran, reports nothing.
    pub(crate) fn report(&self, reporter: u64, at: &str, why: Option<String>) {
        let problem = |why| Problem {
            setting: self.name.clone(),
            at: at.to_owned(),
            why,
        };
        if let Some(standing) = self.reports().standing.get_mut(&reporter) {
            *standing = why.map(problem);
        }
    }

    /// Whoever had the number applies nothing any more, so that nothing is wrong there.
    pub(crate) fn forget(&self, reporter: u64) {
        self.reports().standing.remove(&reporter);
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Declared for Slot<T> {
    fn key(&self) -> &str {
        &self.key
    }

    fn refresh(&self, map: &Records) {
        let (look, view, memory) = {
            let mut state = self.state();
            state.looks += 1;
            (state.looks, map.view(), state.memory.clone())
        };
        let resolved = self.resolved(&view, &self.layers, &memory);
        self.show(look, resolved);
    }

    fn unrecorded(&self) -> Vec<Unrecorded> {
        self.findings().unrecorded.clone()
    }

    fn problems(&self) -> Vec<Problem> {
        let findings = self.findings();
        let of_records = findings.complaints.iter().map(|(at, why)| Problem {
            setting: self.name.clone(),
            at: at.clone(),
            why: why.clone(),
        });
        let reports = self.reports();
        of_records
            .chain(reports.standing.values().flatten().cloned())
            .collect()
    }

    fn end(&self) {
        contained(|| self.told.send_modify(|told| told.has_ended = true));
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
