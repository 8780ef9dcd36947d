//! The crates that are published, and where the listing of each lies.
//!
//! It never writes one by itself: the command `globe-surface` does.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::sources::Sources;
use crate::surface::surface;

/// A crate whose surface is listed.
#[derive(Debug)]
pub struct Listed {
    /// Its package.
    pub package: &'static str,
    /// What users call its library.
    pub library: &'static str,
    /// Its folder in the tree.
    pub folder: &'static str,
}

/// Every crate that is published.
pub const PUBLISHED: &[Listed] = &[
    listed("globe-map", "globe", ""),
    listed(
        "globe-log-client",
        "globe_log_client",
        "log_clients/log_client",
    ),
    listed("globe-memory", "globe_memory", "log_clients/memory"),
    listed("globe-faulty", "globe_faulty", "log_clients/faulty"),
    listed("globe-leases", "globe_leases", "log_clients/leases"),
    listed("globe-offline", "globe_offline", "log_clients/offline"),
    listed("globe-sqlite", "globe_sqlite", "log_clients/sqlite"),
    listed("globe-etcd", "globe_etcd", "log_clients/etcd"),
];

const fn listed(package: &'static str, library: &'static str, folder: &'static str) -> Listed {
    Listed {
        package,
        library,
        folder,
    }
}

impl Listed {
    /// Its surface as the sources below `tree` have it now.
    pub fn now(&self, tree: &Path) -> Result<String> {
        let sources = Sources::read(&tree.join(self.folder).join("src"))?;
        surface(self.library, &sources)
    }

    /// Its surface as it is listed; nothing, if it is not.
    pub fn listing(&self, tree: &Path) -> String {
        fs::read_to_string(self.file(tree)).unwrap_or_default()
    }

    /// Lists its surface as it is now. Says whether that changed anything.
    pub fn list(&self, tree: &Path) -> Result<bool> {
        let now = self.now(tree)?;
        if now == self.listing(tree) {
            return Ok(false);
        }
        let path = self.file(tree);
        fs::write(&path, now).map_err(|source| Error::File { path, source })?;
        Ok(true)
    }

    /// Where it is listed.
    pub fn file(&self, tree: &Path) -> PathBuf {
        tree.join("docs/surface")
            .join(format!("{}.txt", self.package))
    }
}
