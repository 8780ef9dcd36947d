//! Hosts of a test's own: network namespaces on one bridge, which no other process sees and which end with the test.
//!
//! It never touches the network of the machine: everything happens in namespaces that this process was run in again.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// Set for the process that runs inside.
const INSIDE: &str = "GLOBE_OWN_NETWORK";

/// Whether this process runs in a network of its own.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The words that run a command in a network, and with mounts, of its own.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--mount"]);
    command
}

/// Whether this machine allows such networks; if not, why.
///
/// # Errors
/// What is missing or forbidden.
pub fn allowed() -> Result<(), String> {
    let script = "set -e; mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; ip netns add x; iptables -L >/dev/null";
    let tried = unshare().args(["sh", "-c", script]).output();
    let output = tried.map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// Runs this very program again, with these arguments, in a network of its own; its exit code.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn run_inside<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> i32 {
    let program = std::env::current_exe().expect("this program");
    let mut command = unshare();
    // It ends with this process, and everything it started ends with it.
    command
        .args(["setpriv", "--pdeathsig", "KILL"])
        .arg(program);
    command.args(arguments).env(INSIDE, "1");
    let status = command.status().expect("unshare (package util-linux)");
    status.code().unwrap_or(1)
}

/// For a test that wants hosts: whether it is inside already. If not, the test is run again inside, and has passed when
/// this returns.
///
/// # Panics
/// When the test failed inside.
#[must_use]
pub fn enter(test: &str) -> bool {
    if is_inside() {
        return true;
    }
    let code = run_inside(["--exact", test, "--nocapture"]);
    assert_eq!(code, 0, "{test} failed in its own network");
    false
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
}

/// Several hosts on one bridge; this process is on the bridge as well.
#[derive(Debug)]
pub struct Hosts {
    hosts: Vec<Host>,
}

impl Hosts {
    /// Makes so many hosts, in the network this process has to itself.
    ///
    /// # Panics
    /// When it is not inside, or a tool is missing.
    #[must_use]
    pub fn new(count: u8) -> Hosts {
        assert!(is_inside(), "hosts exist only in a network of one's own");
        run("mkdir", &["-p", "/run/netns"]);
        run("mount", &["-t", "tmpfs", "tmpfs", "/run/netns"]);
        run("ip", &["link", "set", "lo", "up"]);
        run("ip", &["link", "add", "bridge0", "type", "bridge"]);
        run("ip", &["addr", "add", "10.99.0.100/24", "dev", "bridge0"]);
        run("ip", &["link", "set", "bridge0", "up"]);
        let hosts = (1..=count).map(Host::new).collect();
        Hosts { hosts }
    }

    /// The host of this number.
    #[must_use]
    pub fn host(&self, index: usize) -> &Host {
        &self.hosts[index]
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// From now on host `to` hears nothing of host `from`. The other way stays open.
    pub fn cut_one_way(&self, from: usize, to: usize) {
        self.hosts[to].refuse(self.hosts[from].address);
    }

    /// Cuts a host from all other hosts, both ways. This process still reaches it.
    pub fn cut_from_peers(&self, index: usize) {
        for other in (0..self.hosts.len()).filter(|other| *other != index) {
            self.cut_one_way(other, index);
            self.cut_one_way(index, other);
        }
    }

    /// Lifts every cut and every loss.
    pub fn heal(&self) {
        for host in &self.hosts {
            host.iptables(&["-F"]);
            run("ip", &["link", "set", &host.port(), "up"]);
        }
    }
}

impl Host {
    fn new(number: u8) -> Host {
        let host = Host {
            name: format!("host{number}"),
            address: Ipv4Addr::new(10, 99, 0, number),
        };
        let (name, port) = (host.name.as_str(), host.port());
        let address = format!("{}/24", host.address);
        run("ip", &["netns", "add", name]);
        let veth = ["link", "add", &port, "type", "veth", "peer"];
        run(
            "ip",
            &[&veth[..], &["name", "eth0", "netns", name]].concat(),
        );
        run("ip", &["link", "set", &port, "master", "bridge0", "up"]);
        run("ip", &["-n", name, "addr", "add", &address, "dev", "eth0"]);
        run("ip", &["-n", name, "link", "set", "eth0", "up"]);
        run("ip", &["-n", name, "link", "set", "lo", "up"]);
        host
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The words before a command that is to run there. The command keeps the process id.
    #[must_use]
    pub fn prefix(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--net=/run/netns/{}", self.name)]
    }

    /// Its end of the bridge.
    fn port(&self) -> String {
        format!("to-{}", self.name)
    }

    /// Pulls its cable: nobody reaches it, and nobody is told.
    pub fn pull_cable(&self) {
        run("ip", &["link", "set", &self.port(), "down"]);
    }

    /// Loses this share (0 to 1) of what arrives there.
    pub fn lose(&self, share: f64) {
        let share = share.to_string();
        let words = ["-A", "INPUT", "-m", "statistic", "--mode", "random"];
        self.iptables(&[&words[..], &["--probability", &share, "-j", "DROP"]].concat());
    }

    fn refuse(&self, from: Ipv4Addr) {
        self.iptables(&["-A", "INPUT", "-s", &from.to_string(), "-j", "DROP"]);
    }

    fn iptables(&self, words: &[&str]) {
        let net = format!("--net=/run/netns/{}", self.name);
        run("nsenter", &[&[net.as_str(), "iptables"], words].concat());
    }
}

/// Mounts a file system in memory of this size (such as `64m`) over a folder. It is gone with the process.
///
/// # Panics
/// When it cannot, or when this process is not inside.
pub fn small_disk(folder: &std::path::Path, size: &str) {
    assert!(is_inside(), "disks are mounted only inside");
    let (size, folder) = (
        format!("size={size},mode=700"),
        folder.display().to_string(),
    );
    run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &folder]);
}

/// Takes away what [`small_disk`] mounted.
pub(crate) fn unmount(folder: &std::path::Path) {
    let _ = Command::new("umount").arg(folder).status();
}

fn run(program: &str, words: &[&str]) {
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}: run scripts/test --setup"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {said}");
}
