//! One real etcd server: started, stopped, paused, wiped.
//!
//! It is spoken to only by etcd's own tools, never through the client under test.

mod backup;
mod builder;
mod flags;
mod member;
mod tools;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

pub use self::builder::EtcdBuilder;
pub(crate) use self::member::Member;
use crate::binaries::EtcdVersion;
use crate::certificates::Pair;
use crate::netns::{self, Host};
use crate::port::START;
use crate::process::{Process, command};

/// How often it is looked whether a server has begun, or has ended.
const LOOK: Duration = Duration::from_millis(10);

/// A running etcd server of its own. Killed, and its data removed, when dropped.
#[derive(Debug)]
pub struct EtcdServer {
    settings: EtcdBuilder,
    dir: TempDir,
    member: Member,
    process: Option<Process>,
    /// Flags for its tools once somebody must log in: `--user=root:…`.
    login: Option<String>,
}

impl EtcdServer {
    /// Settings for a server of a version.
    #[must_use]
    pub fn builder(version: EtcdVersion) -> EtcdBuilder {
        EtcdBuilder::new(version)
    }

    /// Starts a server of a version.
    pub async fn start(version: EtcdVersion) -> EtcdServer {
        EtcdServer::builder(version).start().await
    }

    fn new(settings: EtcdBuilder) -> EtcdServer {
        let dir = folder(&settings);
        if let Some((certificates, pair)) = &settings.tls {
            certificates.write(dir.path(), pair);
        }
        if let Some(size) = &settings.disk {
            let data = dir.path().join("data");
            std::fs::create_dir(&data).expect("a folder");
            netns::small_disk(&data, size);
        }
        let member = settings.member.clone();
        let member = member.unwrap_or_else(|| Member::alone("n1", settings.address()));
        EtcdServer {
            settings,
            dir,
            member,
            process: None,
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
        self.address().port()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.member.client_address()
    }

    /// `http://127.0.0.1:PORT`, or `https://`; another address when it has a host of its own.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.reached_by("http")
    }

    /// `etcd://127.0.0.1:PORT`, or `etcds://`: what a map is connected by.
    #[must_use]
    pub fn url(&self) -> String {
        self.reached_by("etcd")
    }

    fn reached_by(&self, scheme: &str) -> String {
        let safe = if self.settings.tls.is_some() { "s" } else { "" };
        format!("{scheme}{safe}://{}", self.address())
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
        let output = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("output"))
            .expect("a file for its output");
        let errors = output.try_clone().expect("the file twice");
        let before = self.settings.host.as_ref().map_or(vec![], Host::prefix);
        let mut command = command(before, self.version().program("etcd"));
        command.args(self.flags()).stdout(output).stderr(errors);
        self.process = Some(Process::start(&mut command));
    }

    /// Whether its process lives (a paused one does).
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Waits until it answers.
    ///
    /// # Panics
    /// When it does not, with what it wrote.
    pub async fn wait_ready(&mut self) {
        let answers = self.answers().await;
        assert!(answers, "{:?} ended:\n{}", self.version(), self.output());
    }

    /// Waits until it answers, or has ended: then false.
    async fn answers(&mut self) -> bool {
        let deadline = Instant::now() + START;
        while self.is_running() {
            // Its tool stays away for a second from a port that refused it.
            if TcpStream::connect(self.address()).await.is_ok() && self.is_healthy().await {
                return true;
            }
            let is_late = Instant::now() > deadline;
            assert!(!is_late, "{:?}:\n{}", self.version(), self.output());
            sleep(LOOK).await;
        }
        false
    }

    /// Kills its process (SIGKILL) and waits until it is gone. Its data stays.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end (SIGTERM), as an operator does, and waits until it has: a leader hands over first. Its data stays.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(&mut self) {
        self.running().signal("TERM");
        let deadline = Instant::now() + START;
        while self.is_running() {
            let is_late = Instant::now() > deadline;
            assert!(!is_late, "it does not end:\n{}", self.output());
            sleep(LOOK).await;
        }
        self.process = None;
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
        self.running().pause();
    }

    /// Lets a paused process go on.
    pub fn resume(&self) {
        self.running().signal("CONT");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running().id()
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("a running server")
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

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
        if self.settings.disk.is_some() {
            netns::unmount(&self.data_dir());
        }
    }
}

/// In memory, unless it is to lie on the disk.
fn folder(settings: &EtcdBuilder) -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() && !settings.on_disk {
        true => TempDir::with_prefix_in("globe-etcd-", memory),
        false => TempDir::with_prefix("globe-etcd-"),
    };
    folder.expect("a folder")
}
