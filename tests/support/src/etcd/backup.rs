//! Backups of a server: taken, and put in the place of what it knows.
//!
//! Never changes its name, its address or its ids.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::EtcdServer;
use crate::binaries::EtcdVersion;
use crate::port::free_port;

impl EtcdServer {
    /// Saves a snapshot; the path is good as long as the server value lives.
    pub async fn save_snapshot(&self) -> PathBuf {
        let path = self.dir.path().join(format!("snapshot-{}", free_port()));
        let words = ["snapshot", "save", &path.display().to_string()];
        self.etcdctl(&words).await;
        path
    }

    /// Stops it, and starts it from a snapshot under the same name and address, so with the same ids. `bump` is by how much
    /// revisions jump ahead (3.5 only), which marks the old ones as compacted.
    ///
    /// # Panics
    /// When the snapshot cannot be restored.
    pub async fn restore_snapshot(&mut self, snapshot: &Path, bump: Option<u64>) {
        self.erase();
        let mut command = self.restoring(snapshot);
        if let Some(bump) = bump {
            command.arg(format!("--bump-revision={bump}"));
            command.arg("--mark-compacted");
        }
        let output = command.output().expect("the restore tool");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        self.restart().await;
    }

    fn restoring(&self, snapshot: &Path) -> Command {
        let tool = match self.version() {
            EtcdVersion::V3_4_23 => "etcdctl",
            _ => "etcdutl",
        };
        let mut command = Command::new(self.version().program(tool));
        command.env("ETCDCTL_API", "3");
        command.args(["snapshot", "restore"]).arg(snapshot);
        let (member, data) = (&self.member, self.data_dir());
        command.args([
            format!("--data-dir={}", data.display()),
            format!("--name={}", member.name),
            format!("--initial-cluster={}", member.cluster),
            format!("--initial-advertise-peer-urls={}", member.peer_url()),
            "--initial-cluster-token=globe".into(),
        ]);
        command
    }
}
