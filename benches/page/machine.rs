//! What a run is made on: the machine, the sources, and the versions of all that is measured.
//!
//! What the machine does not say is left open, and never guessed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use globe_bench::{Done, Run};

/// The crates whose versions matter: what is measured, or measured beside.
const CRATES: [&str; 8] = [
    "arc-swap",
    "dashmap",
    "etcd-client",
    "foldhash",
    "k8s-openapi",
    "kube-runtime",
    "moka",
    "papaya",
];

/// Where the sources are.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a run that begins now is made on.
pub(crate) fn run(command: &str) -> Done<Run> {
    Ok(Run {
        command: command.to_owned(),
        date: said_by("date", &["-u", "+%F %H:%M UTC"]),
        commit: commit(),
        cores: std::thread::available_parallelism()?.get(),
        processor: processor(),
        kernel: said_by("uname", &["-sr"]),
        load: load(),
        versions: versions()?,
    })
}

/// What a program says in its first line.
fn said_by(program: &str, words: &[&str]) -> String {
    let output = Command::new(program)
        .args(words)
        .current_dir(sources())
        .output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    said.lines().next().unwrap_or_default().to_owned()
}

/// The commit, and whether there is more than that.
fn commit() -> String {
    let commit = said_by("git", &["rev-parse", "--short", "HEAD"]);
    match said_by("git", &["status", "--porcelain", "--", "*.rs", "*.toml"]).as_str() {
        "" => commit,
        _ => format!("{commit}, with changes that are not committed"),
    }
}

fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut models = told.lines().filter(|line| line.starts_with("model name"));
    let model = models.next().and_then(|line| line.split_once(": "));
    model.map_or_else(String::new, |(_, model)| model.to_owned())
}

fn load() -> String {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').next().unwrap_or_default().to_owned()
}

fn versions() -> Done<Vec<(String, String)>> {
    let servers =
        std::env::var_os("GLOBE_SERVERS").map_or_else(|| sources().join(".servers"), PathBuf::from);
    let etcd = servers.join("etcd-reference/usr/bin/etcd");
    let redis = std::env::var("GLOBE_REDIS").unwrap_or_else(|_| "redis-server".to_owned());
    let mut versions = vec![
        (
            "rustc".to_owned(),
            word(&said_by("rustc", &["--version"]), "rustc "),
        ),
        (
            "etcd".to_owned(),
            word(
                &said_by(&etcd.to_string_lossy(), &["--version"]),
                "etcd Version: ",
            ),
        ),
        (
            "Redis".to_owned(),
            word(&said_by(&redis, &["--version"]), "Redis server v="),
        ),
    ];
    let locked = fs::read_to_string(sources().join("Cargo.lock"))?;
    for name in CRATES {
        versions.push((name.to_owned(), locked_version(&locked, name)));
    }
    versions.retain(|(_, version)| !version.is_empty());
    Ok(versions)
}

/// The word after these.
fn word(said: &str, after: &str) -> String {
    let rest = said.strip_prefix(after).unwrap_or_default();
    rest.split(' ').next().unwrap_or_default().to_owned()
}

/// All versions of a crate in a lock file: some have more than one.
fn locked_version(locked: &str, name: &str) -> String {
    let packages = locked.split("[[package]]\n");
    let of_name = format!("name = \"{name}\"\nversion = \"");
    let found = packages.filter_map(|package| package.strip_prefix(of_name.as_str()));
    let versions = found.filter_map(|rest| rest.split('"').next());
    versions.collect::<Vec<_>>().join(" and ")
}
