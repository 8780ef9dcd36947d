//! The copy of the workspace that the defects are planted in, and the programs of tests that are built from it.
//!
//! It writes nothing that is already as it should be, so what did not change is not compiled again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Patched, TestName};

/// A copy of the workspace.
#[derive(Debug)]
pub struct Scratch {
    tree: PathBuf,
    target: PathBuf,
    servers: PathBuf,
}

/// A program of tests, and where it is run.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) package: PathBuf,
}

/// Programs of tests.
#[derive(Debug)]
pub struct Programs {
    by_source: BTreeMap<String, Program>,
    /// The servers of the workspace: the copy has none.
    pub(crate) servers: PathBuf,
}

impl Programs {
    pub(crate) fn of(&self, test: &TestName) -> Option<&Program> {
        self.by_source.get(&test.program)
    }
}

impl Scratch {
    /// Brings the copy in `target/mutants/tree` to what stands in the workspace at `root`, but for what is patched.
    ///
    /// # Errors
    /// When a file cannot be read or written, or there is no git to say which files there are.
    pub fn copy(root: &Path, target: &Path, patched: &Patched) -> io::Result<Scratch> {
        let tree = target.join("mutants/tree");
        let files = tracked(root)?;
        for file in &files {
            let clean = fs::read(root.join(file))?;
            let text = patched.text(file).map_or(&*clean, str::as_bytes);
            write(&tree.join(file), text)?;
        }
        remove_others(&tree, &tree, &files)?;
        let target = target.to_owned();
        let servers = std::env::var_os("GLOBE_SERVERS");
        let servers = root.join(servers.map_or_else(|| PathBuf::from(".servers"), PathBuf::from));
        Ok(Scratch {
            tree,
            target,
            servers,
        })
    }

    /// Builds the programs of these tests.
    ///
    /// What others than this workspace wrote is compiled once for the ordinary tests and for these; what is its own goes by
    /// another name here, because it is compiled without what a debugger wants.
    ///
    /// # Errors
    /// What the compiler said.
    pub fn build(&self, tests: &BTreeSet<&TestName>) -> Result<Programs, String> {
        let sources: BTreeSet<&str> = tests.iter().map(|test| &*test.program).collect();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args([
            "test",
            "--no-run",
            "--all-features",
            "--message-format=json-render-diagnostics",
        ]);
        // Each once: cargo takes no second `--lib`, whosever it is.
        let mut selections = BTreeSet::new();
        for source in &sources {
            let unknown = || format!("{source} is not the source of a program of tests");
            selections.extend(self.selection(source).ok_or_else(unknown)?);
        }
        cargo.args(selections.iter().flatten());
        // What cargo says to a program that it runs itself would make the scripts of dependencies run again.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&*name);
            }
        }
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "false");
        cargo.env("CARGO_TARGET_DIR", &self.target);
        let output = cargo.current_dir(&self.tree).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("cargo: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(self.programs(&String::from_utf8_lossy(&output.stdout)))
    }

    /// How cargo is told to build a program: of which package, and which of its targets.
    fn selection(&self, source: &str) -> Option<[Vec<String>; 2]> {
        let (package, target) = split(source)?;
        let manifest = fs::read_to_string(self.tree.join(package).join("Cargo.toml")).ok()?;
        let (_, own) = manifest.split_once("[package]")?;
        let name = own.split('"').nth(1)?;
        let package = vec!["-p".to_owned(), name.to_owned()];
        let target = match target {
            "src/lib.rs" => vec!["--lib".to_owned()],
            _ => {
                let name = target.strip_prefix("tests/")?.strip_suffix(".rs")?;
                let name = name.strip_suffix("/main").unwrap_or(name);
                vec!["--test".to_owned(), name.to_owned()]
            }
        };
        Some([package, target])
    }

    /// What cargo says it built: a line for each.
    fn programs(&self, artifacts: &str) -> Programs {
        let mut by_source = BTreeMap::new();
        for line in artifacts.lines() {
            let (Some(path), Some(source)) = (field(line, "executable"), field(line, "src_path"))
            else {
                continue;
            };
            if let Ok(source) = Path::new(source).strip_prefix(&self.tree) {
                let source = source.display().to_string();
                let package = split(&source).map_or("", |(package, _)| package);
                let package = self.tree.join(package);
                let path = PathBuf::from(path);
                by_source.insert(source, Program { path, package });
            }
        }
        let servers = self.servers.clone();
        Programs { by_source, servers }
    }
}

/// The folder of the package, and the source in it.
fn split(source: &str) -> Option<(&str, &str)> {
    let at = ["src/lib.rs", "tests/"]
        .iter()
        .find_map(|word| source.rfind(word));
    Some(source.split_at(at?))
}

/// A field of a line of JSON that holds a text without anything unusual in it.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{name}\":\""))?;
    rest.split('"').next()
}

fn tracked(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let output = git.current_dir(root).output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("git: {text}")));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    let files = names.split('\0').map(PathBuf::from);
    Ok(files.filter(|file| root.join(file).is_file()).collect())
}

fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    if fs::read(file).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)
}

/// What was renamed or taken away is no part of the copy either.
fn remove_others(tree: &Path, folder: &Path, files: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(tree, &path, files)?;
        } else if !path
            .strip_prefix(tree)
            .is_ok_and(|file| files.contains(file))
        {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
