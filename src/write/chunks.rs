//! Many writes, in as few transactions as the log's limits allow.
//!
//! It never sends one, and never leaves one out.

use std::collections::BTreeMap;

use bytes::Bytes;
use globe_log_client::{Capabilities, Keyspace};

use crate::ground::pace::Pace;
use crate::write::guarded::Guarded;

/// Splits writes so that each part is within the log's limits. A single write over a limit is a part of its own, which
/// the log refuses by name.
pub(crate) async fn chunks(
    keyspace: &Keyspace,
    writes: BTreeMap<Bytes, Guarded>,
    capabilities: &Capabilities,
) -> Vec<BTreeMap<Bytes, Guarded>> {
    let mut chunks: Vec<BTreeMap<Bytes, Guarded>> = Vec::new();
    let mut bytes = 0;
    let mut pace = Pace::new();
    for (key, guarded) in writes {
        let value = guarded.draft.len();
        // The key counts twice: once compared, once written.
        let size = 2 * (keyspace.as_str().len() + 1 + key.len()) + value;
        let fits = |chunk: &BTreeMap<_, _>| {
            chunk.len() < capabilities.max_operations
                && bytes + size <= capabilities.max_transaction_bytes
        };
        match chunks.last_mut() {
            Some(chunk) if fits(chunk) => {
                chunk.insert(key, guarded);
                bytes += size;
            }
            _ => {
                chunks.push(BTreeMap::from([(key, guarded)]));
                bytes = size;
            }
        }
        pace.step().await;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::write::guarded::{Draft, Stands};

    #[test]
    fn many_writes_are_split_at_each_limit_and_none_is_lost() {
        let mut capabilities = Capabilities::full("test");
        capabilities.max_operations = 10;
        capabilities.max_transaction_bytes = 1000;
        let keyspace = Keyspace::new("ks").unwrap();
        let writes = |count: usize, size: usize| -> BTreeMap<Bytes, Guarded> {
            let guarded = || Guarded {
                stands: Stands::Nothing,
                draft: Draft::Put(vec![0; size].into()),
            };
            (0..count)
                .map(|i| (Bytes::from(format!("{i:03}")), guarded()))
                .collect()
        };
        let sizes = |writes| {
            let chunks = chunks(&keyspace, writes, &capabilities).now_or_never();
            chunks
                .unwrap()
                .iter()
                .map(BTreeMap::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(writes(25, 1)), [10, 10, 5]);
        assert_eq!(sizes(writes(5, 400)), [2, 2, 1]);
        assert_eq!(sizes(writes(2, 5000)), [1, 1]);
        assert_eq!(sizes(writes(0, 1)), [0; 0]);
    }
}
