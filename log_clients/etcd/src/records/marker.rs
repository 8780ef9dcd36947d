//! The record by which all clients of a log agree on which life of it this is.
//!
//! Never read or written here: it is only data.

use etcd_client::proto::{PbKeyValue, PbRangeResponse};
use globe_log_client::Epoch;
use serde::{Deserialize, Serialize};

/// The name of a life. Until one had to be named there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// How often a new life was named. A greater one is newer.
    pub(crate) counter: u64,
    /// The name of this life.
    pub(crate) id: u64,
}

/// What stands where the marker belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FoundMarker {
    /// Nothing if nothing stands there, or something that no client of this log wrote.
    pub(crate) marker: Option<Marker>,
    /// When it was written, for the guard of the next; 0 when nothing stands there.
    pub(crate) modified: i64,
}

impl Marker {
    /// The marker in a record, unless it is certainly none: no JSON of this shape, or of a life that nobody can count.
    fn read(found: &PbKeyValue) -> Option<Marker> {
        let marker: Option<Marker> = serde_json::from_slice(&found.value).ok();
        marker.filter(|marker| marker.counter < u64::MAX)
    }

    pub(crate) fn in_answer(answer: &PbRangeResponse) -> Option<Marker> {
        answer.kvs.first().and_then(Marker::read)
    }
}

impl FoundMarker {
    pub(crate) fn in_answer(answer: &PbRangeResponse) -> FoundMarker {
        let found = answer.kvs.first();
        FoundMarker {
            marker: found.and_then(Marker::read),
            modified: found.map_or(0, |found| found.mod_revision),
        }
    }

    /// Something stands there that no client of this log wrote.
    pub(crate) fn is_foreign(&self) -> bool {
        self.modified != 0 && self.marker.is_none()
    }
}

/// The life's name: the marker's, or while there is none, the cluster's own.
pub(crate) fn name(marker: Option<Marker>, cluster: u64) -> Epoch {
    Epoch::new(marker.map_or(cluster, |marker| marker.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_marker(value: &str) -> FoundMarker {
        let record = PbKeyValue {
            value: value.into(),
            mod_revision: 7,
            ..PbKeyValue::default()
        };
        FoundMarker::in_answer(&PbRangeResponse {
            kvs: vec![record],
            ..PbRangeResponse::default()
        })
    }

    #[test]
    fn what_no_client_wrote_is_no_marker() {
        let marker = Marker { counter: 2, id: 9 };
        let text = serde_json::to_string(&marker).unwrap();
        assert_eq!(found_marker(&text).marker, Some(marker));
        assert!(!found_marker(&text).is_foreign());
        let endless = format!(r#"{{"counter":{},"id":9}}"#, u64::MAX);
        for foreign in ["", "yes", r#"{"counter":-1,"id":9}"#, &endless] {
            assert!(found_marker(foreign).is_foreign(), "{foreign}");
            assert_eq!(found_marker(foreign).modified, 7);
        }
        assert!(!FoundMarker::in_answer(&PbRangeResponse::default()).is_foreign());
    }
}
