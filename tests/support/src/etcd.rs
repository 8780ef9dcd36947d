//! One real etcd server: started, asked, stopped, paused, wiped, restored.
//!
//! It speaks to the server only through etcd's own tools, never through the client under test.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::binaries::EtcdVersion;
use crate::certificates::{Certificates, Pair, file};
use crate::netns::{self, Host};
use crate::port::{START, free_port, until_it_listens};
use crate::wait::wait_until;

/// How long one call of its tools may take.
const TOOL: Duration = Duration::from_secs(20);
/// How often it is looked whether a process has stopped where it is: for seconds, if it has not.
const PAUSE: u32 = 100_000;
/// How often a start is tried when somebody else took the ports.
const TRIES: u32 = 5;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct EtcdBuilder {
    version: EtcdVersion,
    arguments: Vec<String>,
    tls: Option<(Certificates, Pair)>,
    wants_client_certificate: bool,
    on_disk: bool,
    disk: Option<String>,
    host: Option<Host>,
    member: Option<Member>,
}

/// A server's place in a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) client_port: u16,
    pub(crate) peer_port: u16,
    /// `name=peer-url` of every member, with commas.
    pub(crate) cluster: String,
    /// It comes to a cluster that is there already.
    pub(crate) joins: bool,
}

impl EtcdBuilder {
    /// Adds a flag, such as `--quota-backend-bytes=4194304`.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.arguments.push(flag.into());
        self
    }

    /// Serves TLS with the server's certificate.
    #[must_use]
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some((certificates.clone(), certificates.server.clone()));
        self
    }

    /// Serves TLS with a certificate that is out of date.
    #[must_use]
    pub fn expired_tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some((certificates.clone(), certificates.expired_server.clone()));
        self
    }

    /// Serves TLS only to clients that show a certificate of the authority.
    #[must_use]
    pub fn mutual_tls(mut self, certificates: &Certificates) -> Self {
        self.wants_client_certificate = true;
        self.tls(certificates)
    }

    /// Signs its tokens (JWT) with a key of the server's certificate: such a token is invalid after any change of users or
    /// roles. Needs [`EtcdBuilder::tls`] for the key.
    #[must_use]
    pub fn jwt(mut self, ttl: &str) -> Self {
        self.arguments.push(format!("--auth-token=jwt,pub-key=@DIR/server.crt,priv-key=@DIR/server.key,sign-method=ES256,ttl={ttl}"));
        self
    }

    /// Keeps its data on the disk instead of in memory.
    #[must_use]
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// Keeps its data on a disk of this size, such as `64m`. Only in a network of one's own.
    #[must_use]
    pub fn small_disk(mut self, size: impl Into<String>) -> Self {
        self.disk = Some(size.into());
        self
    }

    /// Runs it on a host of its own.
    #[must_use]
    pub fn on(mut self, host: &Host) -> Self {
        self.host = Some(host.clone());
        self
    }

    pub(crate) fn member(mut self, member: Member) -> Self {
        self.member = Some(member);
        self
    }

    /// Starts it and waits until it answers.
    pub async fn start(self) -> EtcdServer {
        let mut server = self.start_unready().await;
        server.wait_ready().await;
        server
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.host
            .as_ref()
            .map_or(Ipv4Addr::LOCALHOST, Host::address)
    }

    /// Starts it and waits until it can be dialled: all that its own tools can tell of one whose certificate is bad.
    pub async fn start_listening(self) -> EtcdServer {
        let server = self.start_unready().await;
        until_it_listens("the server", server.address()).await;
        server
    }

    /// Starts it without waiting for an answer, as a member of a cluster must be.
    pub(crate) async fn start_unready(self) -> EtcdServer {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut server = EtcdServer::new(self.clone());
            server.spawn();
            tokio::time::sleep(Duration::from_millis(20)).await;
            if server.is_running() || tries == TRIES || self.member.is_some() {
                return server;
            }
        }
    }
}

/// A running etcd server of its own. Killed, and its data removed, when dropped.
#[derive(Debug)]
pub struct EtcdServer {
    settings: EtcdBuilder,
    dir: TempDir,
    member: Member,
    child: Option<Child>,
    /// Flags for its tools once somebody must log in: `--user=root:…`.
    login: Option<String>,
}

impl EtcdServer {
    /// Settings for a server of a version.
    #[must_use]
    pub fn builder(version: EtcdVersion) -> EtcdBuilder {
        EtcdBuilder {
            version,
            arguments: Vec::new(),
            tls: None,
            wants_client_certificate: false,
            on_disk: false,
            disk: None,
            host: None,
            member: None,
        }
    }

    /// Starts a server of a version.
    pub async fn start(version: EtcdVersion) -> EtcdServer {
        EtcdServer::builder(version).start().await
    }

    fn new(settings: EtcdBuilder) -> EtcdServer {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() && !settings.on_disk {
            TempDir::with_prefix_in("globe-etcd-", memory)
        } else {
            TempDir::with_prefix("globe-etcd-")
        };
        let dir = dir.expect("a folder");
        if let Some((certificates, pair)) = &settings.tls {
            certificates.write(dir.path(), pair);
        }
        if let Some(size) = &settings.disk {
            std::fs::create_dir(dir.path().join("data")).expect("a folder");
            netns::small_disk(&dir.path().join("data"), size);
        }
        let member = settings.member.clone().unwrap_or_else(|| {
            let (client_port, peer_port) = (free_port(), free_port());
            let address = settings.address();
            let cluster = format!("n1=http://{address}:{peer_port}");
            Member {
                name: "n1".into(),
                address,
                client_port,
                peer_port,
                cluster,
                joins: false,
            }
        });
        EtcdServer {
            settings,
            dir,
            member,
            child: None,
            login: None,
        }
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> EtcdVersion {
        self.settings.version
    }

    /// The port clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.member.client_port
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (self.member.address, self.port()).into()
    }

    /// `http://127.0.0.1:PORT`, or `https://`; another address when it has a host of its own.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address())
    }

    /// `etcd://127.0.0.1:PORT`, or `etcds://`: what a map is connected by.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.settings.tls.is_some() {
            "etcds"
        } else {
            "etcd"
        };
        format!("{scheme}://{}", self.address())
    }

    /// What it wrote to its log so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("output")).unwrap_or_default()
    }

    /// Shows this certificate to whoever connects from now on. It must have been started with TLS.
    pub fn show(&self, pair: &Pair) {
        let (certificates, _) = self.settings.tls.as_ref().expect("a server with TLS");
        certificates.write(self.dir.path(), pair);
    }

    /// The folder of its data.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn spawn(&mut self) {
        let program = self.settings.version.program("etcd");
        let output = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("output"))
            .expect("a file for its output");
        let errors = output.try_clone().expect("the file twice");
        // The server dies with the thread that started it, so that a killed test leaves none behind.
        let mut words = self.settings.host.as_ref().map_or(vec![], Host::prefix);
        words.extend(["setpriv", "--pdeathsig", "KILL"].map(String::from));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program).args(self.flags());
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        self.child = Some(
            command
                .spawn()
                .expect("setpriv (package util-linux) starts the server"),
        );
    }

    fn flags(&self) -> Vec<String> {
        let Member {
            name,
            address,
            client_port,
            peer_port,
            cluster,
            joins,
        } = &self.member;
        let state = if *joins { "existing" } else { "new" };
        let scheme = if self.settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let (client, peer) = (
            format!("{scheme}://{address}:{client_port}"),
            format!("http://{address}:{peer_port}"),
        );
        let dir = self.dir.path().display().to_string();
        let mut flags = vec![
            format!("--name={name}"),
            format!("--data-dir={}", self.data_dir().display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster={cluster}"),
            format!("--initial-cluster-state={state}"),
            "--initial-cluster-token=globe".into(),
            "--log-level=warn".into(),
            // Passwords here are no secrets: checking one need not take long.
            "--bcrypt-cost=4".into(),
            "--logger=zap".into(),
        ];
        if !self
            .settings
            .arguments
            .iter()
            .any(|flag| flag.starts_with("--heartbeat-interval"))
        {
            flags.extend([
                "--heartbeat-interval=20".into(),
                "--election-timeout=200".into(),
            ]);
        }
        if self.settings.tls.is_some() {
            flags.push(format!("--cert-file={dir}/server.crt"));
            flags.push(format!("--key-file={dir}/server.key"));
        }
        if self.settings.wants_client_certificate {
            flags.push(format!("--trusted-ca-file={dir}/ca.crt"));
            flags.push("--client-cert-auth".into());
        }
        flags.extend(
            self.settings
                .arguments
                .iter()
                .map(|flag| flag.replace("@DIR", &dir)),
        );
        flags
    }

    /// Whether its process lives (a paused one does).
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Waits until it answers.
    ///
    /// # Panics
    /// When it does not, with what it wrote.
    pub async fn wait_ready(&mut self) {
        let deadline = tokio::time::Instant::now() + START;
        while !self.is_healthy().await {
            let is_late = tokio::time::Instant::now() > deadline;
            if is_late || !self.is_running() {
                panic!(
                    "etcd {:?} did not start:\n{}",
                    self.version(),
                    self.output()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn is_healthy(&self) -> bool {
        self.run("etcdctl", &["endpoint", "health", "--command-timeout=1s"])
            .await
            .is_ok()
    }

    /// Kills its process (SIGKILL) and waits until it is gone. Its data stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end (SIGTERM), as an operator does, and waits until it has: a leader hands over first. Its data stays.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(&mut self) {
        self.signal("TERM");
        let deadline = tokio::time::Instant::now() + START;
        while self.is_running() {
            let is_late = tokio::time::Instant::now() > deadline;
            assert!(!is_late, "it does not end:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.child = None;
    }

    /// Starts it again on its data and its ports, and waits until it answers.
    pub async fn restart(&mut self) {
        self.restart_unready();
        self.wait_ready().await;
    }

    /// Starts it again without waiting for an answer.
    pub fn restart_unready(&mut self) {
        self.kill();
        self.spawn();
    }

    /// Stops its process where it is (SIGSTOP), and waits until no thread of it runs: connections stay open, nothing is
    /// answered any more.
    ///
    /// # Panics
    /// When it goes on.
    pub fn pause(&self) {
        self.signal("STOP");
        let mut looks = (0..PAUSE).map(|_| std::thread::yield_now());
        let stops = looks.any(|()| is_stopped(self.pid()));
        assert!(stops, "it does not stop");
    }

    /// Lets a paused process go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill").success(), "SIG{signal} to {pid}");
    }

    /// Stops it, erases all it knows, and starts it again, at the same address with the same ids.
    pub async fn wipe(&mut self) {
        self.erase();
        self.restart().await;
    }

    /// Stops it and erases all it knows.
    pub fn erase(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.data_dir()).expect("its data is removed");
    }

    /// Starts it with nothing, as a member of a cluster that is there already and expects it.
    pub(crate) fn join(&mut self) {
        self.erase();
        self.member.joins = true;
        self.spawn();
    }

    /// Saves a snapshot; the path is good as long as the server value lives.
    pub async fn save_snapshot(&self) -> PathBuf {
        let path = self.dir.path().join(format!("snapshot-{}", free_port()));
        self.etcdctl(&["snapshot", "save", &path.display().to_string()])
            .await;
        path
    }

    /// Stops it, and starts it from a snapshot under the same name and address, so with the same ids. `bump` is by how much
    /// revisions jump ahead (3.5 only), which marks the old ones as compacted.
    pub async fn restore_snapshot(&mut self, snapshot: &Path, bump: Option<u64>) {
        self.kill();
        std::fs::remove_dir_all(self.data_dir()).expect("its data is removed");
        let Member {
            name,
            address,
            peer_port,
            cluster,
            ..
        } = self.member.clone();
        let tool = match self.version() {
            EtcdVersion::V3_4_23 => "etcdctl",
            _ => "etcdutl",
        };
        let mut command = Command::new(self.version().program(tool));
        command
            .env("ETCDCTL_API", "3")
            .args(["snapshot", "restore"])
            .arg(snapshot);
        command.arg(format!("--data-dir={}", self.data_dir().display()));
        command
            .arg(format!("--name={name}"))
            .arg(format!("--initial-cluster={cluster}"));
        command.arg(format!(
            "--initial-advertise-peer-urls=http://{address}:{peer_port}"
        ));
        command.arg("--initial-cluster-token=globe");
        if let Some(bump) = bump {
            command
                .arg(format!("--bump-revision={bump}"))
                .arg("--mark-compacted");
        }
        let output = command.output().expect("the restore tool");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.restart().await;
    }

    /// Runs `etcdctl` with these words against this server, and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with what it said.
    pub async fn etcdctl(&self, words: &[&str]) -> String {
        match self.run("etcdctl", words).await {
            Ok(output) => output,
            Err(error) => panic!("etcdctl {words:?}: {error}\nthe server:\n{}", self.output()),
        }
    }

    /// Runs `etcdctl`, which may fail: what it printed, or what it said.
    ///
    /// # Errors
    /// What it wrote to its error output.
    pub async fn try_etcdctl(&self, words: &[&str]) -> Result<String, String> {
        self.run("etcdctl", words).await
    }

    async fn run(&self, tool: &str, words: &[&str]) -> Result<String, String> {
        let mut command = tokio::process::Command::new(self.version().program(tool));
        command.env("ETCDCTL_API", "3");
        // A test that goes another way, through a proxy, says so itself.
        if !words.iter().any(|word| word.starts_with("--endpoints=")) {
            command.arg(format!("--endpoints={}", self.endpoint()));
        }
        if self.settings.tls.is_some() {
            // Whether a server is to be trusted is for the client under test to say.
            command.arg("--insecure-skip-tls-verify");
            for (flag, name) in [
                ("cacert", "ca.crt"),
                ("cert", "client.crt"),
                ("key", "client.key"),
            ] {
                command.arg(format!(
                    "--{flag}={}",
                    file(self.dir.path(), name).display()
                ));
            }
        }
        command
            .args(&self.login)
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(TOOL, command.output()).await;
        let output = output.map_err(|_| format!("no end within {TOOL:?}"))?;
        let output = output.map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// The newest revision, read linearizably.
    pub async fn revision(&self) -> u64 {
        let json = self
            .etcdctl(&["get", "globe-no-such-key", "-w", "json"])
            .await;
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        json["header"]["revision"].as_u64().expect("a revision")
    }

    /// Forgets the history before a revision, and does not return before that is done.
    pub async fn compact(&self, revision: u64) {
        self.etcdctl(&["compact", "--physical", &revision.to_string()])
            .await;
    }

    /// Switches authentication on: `root` with all rights, and users who may read and write what begins with a prefix.
    /// From now on its tools log in as root.
    pub async fn enable_auth(&mut self, root_password: &str, users: &[(&str, &str, &str)]) {
        self.etcdctl(&["user", "add", &format!("root:{root_password}")])
            .await;
        self.etcdctl(&["user", "grant-role", "root", "root"]).await;
        for (user, password, prefix) in users {
            self.etcdctl(&["user", "add", &format!("{user}:{password}")])
                .await;
            self.etcdctl(&["role", "add", user]).await;
            self.etcdctl(&[
                "role",
                "grant-permission",
                user,
                "readwrite",
                prefix,
                "--prefix=true",
            ])
            .await;
            self.etcdctl(&["user", "grant-role", user, user]).await;
        }
        self.etcdctl(&["auth", "enable"]).await;
        self.log_in_as_root(root_password);
        wait_until("authentication is on", START, || async {
            self.is_healthy().await
        })
        .await;
    }

    /// From now on its tools log in as root.
    pub(crate) fn log_in_as_root(&mut self, password: &str) {
        self.login = Some(format!("--user=root:{password}"));
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
        if self.settings.disk.is_some() {
            let _ = Command::new("umount").arg(self.data_dir()).status();
        }
    }
}

/// Whether every thread of a process is stopped; taken for granted where the system does not say.
fn is_stopped(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return true;
    };
    let mut states = threads.flatten().map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state comes after the name, which stands in brackets and may hold anything.
        stat.rsplit(')')
            .next()
            .map(|rest| rest.trim_start().starts_with('T'))
    });
    states.all(|is_stopped| is_stopped == Some(true))
}
