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
        let mut writer = Writer::default();
        writer.apply_watcher_event(&Event::Init);
        for number in 0..entries {
            let listed = Event::InitApply(object(&key(number), number as u64));
            writer.apply_watcher_event(&listed);
        }
        writer.apply_watcher_event(&Event::InitDone);
        Reflected { writer }
    }

    /// What its readers read.
    #[must_use]
    pub fn store(&self) -> Store<ConfigMap> {
        self.writer.as_reader()
    }

    /// Writes an object.
    pub fn put(&mut self, name: &str, value: u64) {
        let applied = Event::Apply(object(name, value));
        self.writer.apply_watcher_event(&applied);
    }
}

/// What an object of this name is looked up by.
#[must_use]
pub fn reference(name: &str) -> ObjectRef<ConfigMap> {
    ObjectRef::new(name).within(NAMESPACE)
}

fn object(name: &str, value: u64) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("value".to_owned(), value.to_string())])),
        ..ConfigMap::default()
    }
}
