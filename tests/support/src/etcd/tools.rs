//! What a server is asked and told by etcd's own tools.
//!
//! Never goes through the client under test.

use std::process::Stdio;
use std::time::Duration;

use super::EtcdServer;
use crate::certificates::file;
use crate::port::START;
use crate::wait::wait_until;

/// How long one call of a tool may take.
const LIMIT: Duration = Duration::from_secs(20);

impl EtcdServer {
    /// Runs `etcdctl` with these words against this server, and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with what it said.
    pub async fn etcdctl(&self, words: &[&str]) -> String {
        match self.try_etcdctl(words).await {
            Ok(output) => output,
            Err(error) => panic!("etcdctl {words:?}: {error}\nthe server:\n{}", self.output()),
        }
    }

    /// Runs `etcdctl`, which may fail: what it printed, or what it said.
    ///
    /// # Errors
    /// What it wrote to its error output.
    pub async fn try_etcdctl(&self, words: &[&str]) -> Result<String, String> {
        let mut command = tokio::process::Command::new(self.version().program("etcdctl"));
        command.env("ETCDCTL_API", "3").kill_on_drop(true);
        // A test that goes another way, through a proxy, says so itself.
        if !words.iter().any(|word| word.starts_with("--endpoints=")) {
            command.arg(format!("--endpoints={}", self.endpoint()));
        }
        command.args(self.certificates()).args(&self.login);
        command.args(words).stdin(Stdio::null());
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = output.map_err(|_| format!("no end within {LIMIT:?}"))?;
        let output = output.map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// What its tools show it, if it speaks TLS.
    fn certificates(&self) -> Vec<String> {
        if self.settings.tls.is_none() {
            return Vec::new();
        }
        let flag = |(flag, name)| format!("--{flag}={}", file(self.dir.path(), name).display());
        let shown = [
            ("cacert", "ca.crt"),
            ("cert", "client.crt"),
            ("key", "client.key"),
        ];
        // Whether a server is to be trusted is for the client under test to say.
        let trusting = ["--insecure-skip-tls-verify".to_owned()];
        trusting.into_iter().chain(shown.map(flag)).collect()
    }

    pub(super) async fn is_healthy(&self) -> bool {
        let asked = ["endpoint", "health", "--command-timeout=1s"];
        self.try_etcdctl(&asked).await.is_ok()
    }

    /// The newest revision, read linearizably.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub async fn revision(&self) -> u64 {
        let asked = ["get", "globe-no-such-key", "-w", "json"];
        let json = self.etcdctl(&asked).await;
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        json["header"]["revision"].as_u64().expect("a revision")
    }

    /// Forgets the history before a revision, and does not return before that is done.
    pub async fn compact(&self, revision: u64) {
        let revision = revision.to_string();
        self.etcdctl(&["compact", "--physical", &revision]).await;
    }

    /// Gives the space of all that is deleted back to one that is full, and lets it write again.
    pub async fn make_space(&self) {
        self.compact(self.revision().await).await;
        self.etcdctl(&["defrag"]).await;
        self.etcdctl(&["alarm", "disarm"]).await;
    }

    /// Switches authentication on: `root` with all rights, and users who may read and write what begins with a prefix.
    /// From now on its tools log in as root.
    pub async fn enable_auth(&mut self, root_password: &str, users: &[(&str, &str, &str)]) {
        let root = format!("root:{root_password}");
        self.etcdctl(&["user", "add", &root]).await;
        self.etcdctl(&["user", "grant-role", "root", "root"]).await;
        for (user, password, prefix) in users {
            self.add_user(user, password, prefix).await;
        }
        self.etcdctl(&["auth", "enable"]).await;
        self.log_in_as_root(root_password);
        wait_until("authentication is on", START, || self.is_healthy()).await;
    }

    async fn add_user(&self, user: &str, password: &str, prefix: &str) {
        let named = format!("{user}:{password}");
        self.etcdctl(&["user", "add", &named]).await;
        self.etcdctl(&["role", "add", user]).await;
        let all = ["role", "grant-permission", user, "readwrite", prefix];
        let all = [&all[..], &["--prefix=true"]].concat();
        self.etcdctl(&all).await;
        self.etcdctl(&["user", "grant-role", user, user]).await;
    }

    /// From now on its tools log in as root.
    pub(crate) fn log_in_as_root(&mut self, password: &str) {
        self.login = Some(format!("--user=root:{password}"));
    }
}
