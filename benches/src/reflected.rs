//! The store that a Kubernetes controller reads: what a reflector has seen, filled and written by the events of a watch.
//!
//! It never talks to a cluster: what a watch would tell is made here, one event after the other.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_runtime::reflector::store::Writer;
use kube_runtime::reflector::{ObjectRef, Store};
use kube_runtime::watcher::Event;

use crate::filled::key;

/// Where the objects live.
const NAMESPACE: &str = "bench";

/// A store of small objects, each with one value, and who writes it.
pub struct Reflected {
    writer: Writer<ConfigMap>,
}

impl Reflected {
    /// A store of so many objects, named as the [keys](crate::key) of a filled map.
    #[must_use]
    pub fn filled(entries: usize) -> Reflected {
        let mut reflected = Reflected::begun();
        for number in 0..entries {
            reflected.list(&key(number), number.to_string());
        }
        reflected.done();
        reflected
    }

    /// A store that is about to be filled: its readers see nothing until that is [done](Reflected::done).
    #[must_use]
    pub fn begun() -> Reflected {
        let mut writer = Writer::default();
        writer.apply_watcher_event(&Event::Init);
        Reflected { writer }
    }

    /// Adds an object that is there already.
    pub fn list(&mut self, name: &str, value: String) {
        let listed = Event::InitApply(object(name, value));
        self.writer.apply_watcher_event(&listed);
    }

    /// There are no others.
    pub fn done(&mut self) {
        self.writer.apply_watcher_event(&Event::InitDone);
    }

    /// What its readers read.
    #[must_use]
    pub fn store(&self) -> Store<ConfigMap> {
        self.writer.as_reader()
    }

    /// Writes an object.
    pub fn put(&mut self, name: &str, value: u64) {
        let applied = Event::Apply(object(name, value.to_string()));
        self.writer.apply_watcher_event(&applied);
    }
}

/// What an object of this name is looked up by.
#[must_use]
pub fn reference(name: &str) -> ObjectRef<ConfigMap> {
    ObjectRef::new(name).within(NAMESPACE)
}

fn object(name: &str, value: String) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("value".to_owned(), value)])),
        ..ConfigMap::default()
    }
}
