//! Where in etcd everything is kept.
//!
//! Never talks to a server.

use bytes::Bytes;
use globe_log_client::Keyspace;

/// The folder of the log's own records.
pub(crate) const OWN_FOLDER: &str = ".globe";

/// The names of all keys of one log: `{namespace}{keyspace}/{key}`, and its own records under `{namespace}.globe/`, with a
/// `/` between where the namespace has none: so they always lie in a folder of that name, which is never a keyspace.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    namespace: String,
    own: String,
}

impl Keys {
    pub(crate) fn new(namespace: &str) -> Keys {
        let slash = match namespace.is_empty() || namespace.ends_with('/') {
            true => "",
            false => "/",
        };
        Keys {
            own: format!("{namespace}{slash}{OWN_FOLDER}/"),
            namespace: namespace.to_owned(),
        }
    }

    /// Where a record of a keyspace is kept.
    pub(crate) fn record(&self, keyspace: &Keyspace, key: &[u8]) -> Vec<u8> {
        let mut name = self.start(keyspace);
        name.extend_from_slice(key);
        name
    }

    /// The first possible key of a keyspace.
    pub(crate) fn start(&self, keyspace: &Keyspace) -> Vec<u8> {
        format!("{}{keyspace}/", self.namespace).into_bytes()
    }

    /// The key just after the last possible one of a keyspace: `0` comes right after `/`.
    pub(crate) fn end(&self, keyspace: &Keyspace) -> Vec<u8> {
        format!("{}{keyspace}0", self.namespace).into_bytes()
    }

    /// What a key is called inside its keyspace.
    pub(crate) fn strip(&self, keyspace: &Keyspace, mut name: Vec<u8>) -> Bytes {
        let prefix = self.namespace.len() + keyspace.as_str().len() + 1;
        Bytes::from(name.split_off(prefix.min(name.len())))
    }

    /// Which life of the log it is, shared by all clients.
    pub(crate) fn epoch_marker(&self) -> Vec<u8> {
        format!("{}epoch", self.own).into_bytes()
    }

    /// One fence slot of one writer. The name holds its lease, so no other client ever writes it.
    pub(crate) fn slot(&self, writer: i64, slot: usize) -> Vec<u8> {
        format!("{}writer/{writer:016x}/{slot}", self.own).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_range_holds_its_keys_and_no_neighbour() {
        let keys = Keys::new("app/");
        let (foo, foobar) = (
            Keyspace::new("foo").unwrap(),
            Keyspace::new("foobar").unwrap(),
        );
        let range = keys.start(&foo)..keys.end(&foo);
        assert!(range.contains(&keys.record(&foo, b"a")));
        assert!(range.contains(&keys.record(&foo, "\u{10ffff}".as_bytes())));
        assert!(!range.contains(&keys.record(&foobar, b"a")));
        assert!(!range.contains(&keys.epoch_marker()));
        assert_eq!(keys.strip(&foo, keys.record(&foo, b"a/b")), "a/b");
    }

    #[test]
    fn a_logs_own_records_lie_in_a_folder_whatever_the_prefix() {
        let table = [
            ("", ".globe/epoch"),
            ("app/", "app/.globe/epoch"),
            ("app-", "app-/.globe/epoch"),
        ];
        for (namespace, marker) in table {
            assert_eq!(Keys::new(namespace).epoch_marker(), marker.as_bytes());
        }
    }
}
