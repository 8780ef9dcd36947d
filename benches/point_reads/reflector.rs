//! The store of a Kubernetes controller, read by the names of objects.
//!
//! It never asks a cluster: its events are made by the writer.

use std::sync::Arc;

use globe_bench::{Reflected, reference};
use k8s_openapi::api::core::v1::ConfigMap;
use kube_runtime::reflector::ObjectRef;

use crate::subject::{Done, Read, Subject, Walk, reading};

/// The store, and who writes it.
pub(crate) struct Reflector {
    reflected: Reflected,
    references: Arc<Vec<ObjectRef<ConfigMap>>>,
    writes: Walk<String>,
    count: u64,
}

impl Reflector {
    pub(crate) fn filled(keys: &Arc<Vec<String>>) -> Reflector {
        Reflector {
            reflected: Reflected::filled(keys.len()),
            references: Arc::new(keys.iter().map(|key| reference(key)).collect()),
            writes: Walk::from(keys, 0),
            count: 0,
        }
    }
}

impl Subject for Reflector {
    fn name(&self) -> &'static str {
        "kube Store"
    }

    fn reader(&self, place: usize) -> Done<Read> {
        let store = self.reflected.store();
        let walk = Walk::from(&self.references, place);
        Ok(reading(walk, move |reference| store.get(reference)))
    }

    fn write(&mut self) -> Done {
        self.count += 1;
        self.reflected.put(self.writes.next(), self.count);
        Ok(())
    }

    fn shown(&self) -> u64 {
        self.count
    }
}
