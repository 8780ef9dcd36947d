//! Where the servers are.
//!
//! Never fetches one: that is `scripts/servers`.

use std::path::PathBuf;

/// The etcd servers the tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EtcdVersion {
    /// 3.5.30: the reference, with every fix a tail needs.
    Reference,
    /// 3.5.16: what users have; deletes may be lost by a watch opened at the compacted revision.
    V3_5_16,
    /// 3.4.23: end of life; lost and repeated events, progress that lies.
    V3_4_23,
}

impl EtcdVersion {
    /// Every one.
    pub const ALL: [EtcdVersion; 3] = [
        EtcdVersion::Reference,
        EtcdVersion::V3_5_16,
        EtcdVersion::V3_4_23,
    ];

    fn folder(self) -> &'static str {
        match self {
            EtcdVersion::Reference => "etcd-reference",
            EtcdVersion::V3_5_16 => "etcd-3.5.16",
            EtcdVersion::V3_4_23 => "etcd-3.4.23",
        }
    }

    /// The path of one of its programs: `etcd`, `etcdctl`, `etcdutl`.
    ///
    /// # Panics
    /// When it is not there, saying how to get it.
    #[must_use]
    pub fn program(self, name: &str) -> PathBuf {
        let root = std::env::var_os("GLOBE_SERVERS").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.servers"),
            PathBuf::from,
        );
        let path = root.join(self.folder()).join("usr/bin").join(name);
        assert!(
            path.exists(),
            "the server {} is missing ({name}): run scripts/servers",
            self.folder()
        );
        path.canonicalize().expect("its path")
    }
}
