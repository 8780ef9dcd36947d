//! The house stays in order: who may import whom, what a module says of itself, what never stands in `src/`.
//!
//! Reads the sources as text; knows nothing of what they do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of `src/`, from the ground up. A module may import only what stands on a lower line, so there are no
/// cycles, and data flows the way the list reads.
const LAYERS: &[&[&str]] = &[
    &["careful"],
    &[
        "key",
        "codec",
        "entry",
        "expected",
        "quarantine",
        "status",
        "settings",
        "tasks",
        "connect",
        "backoff",
        "outage",
        "pace",
        "sync",
        "mutant",
    ],
    &["change", "complaints", "doubt", "guarded", "progress"],
    &["view", "chunks"],
    &["door", "index", "subscribers"],
    &["replica", "difference"],
    &["applier", "committer", "consistency", "watch"],
    &["installation", "writer"],
    &["bulk", "hydration"],
    &["tailer"],
    &["prober"],
    &["globe"],
    &["builder", "transact"],
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

struct Module {
    name: String,
    text: String,
}

impl Module {
    /// What the module does, without its tests, comments and documentation.
    fn code(&self) -> impl Iterator<Item = &str> {
        let before_tests = self
            .text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"));
        before_tests.filter(|line| !line.trim_start().starts_with("//"))
    }

    fn imports(&self) -> Vec<String> {
        let mentions = self.code().flat_map(|line| line.split("crate::").skip(1));
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        mentions
            .map(|rest| rest.chars().take_while(|c| is_name(*c)).collect())
            .collect()
    }
}

fn sources(folder: &Path) -> Vec<Module> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            modules.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            modules.push(Module { name, text });
        }
    }
    assert!(!modules.is_empty(), "no sources in {}", folder.display());
    modules
}

fn modules() -> Vec<Module> {
    let mut modules = sources(&root().join("src"));
    modules.retain(|module| module.name != "lib");
    modules
}

fn layer(name: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&name));
    found.unwrap_or_else(|| panic!("{name} has no place in the table of layers: give it one"))
}

#[test]
fn imports_point_downwards_only() {
    for module in modules() {
        for import in module.imports() {
            assert!(
                layer(&import) < layer(&module.name),
                "{} imports {import}, which does not stand below it",
                module.name
            );
        }
    }
}

#[test]
fn every_layer_names_modules_that_exist() {
    let names: Vec<String> = modules().into_iter().map(|module| module.name).collect();
    for name in LAYERS.iter().copied().flatten() {
        assert!(
            names.iter().any(|there| there == name),
            "there is no module {name}"
        );
    }
}

#[test]
fn only_the_list_of_backends_knows_a_backend() {
    for module in modules() {
        let knows = module
            .code()
            .any(|line| line.contains("globe_memory") || line.contains("globe_etcd"));
        assert!(
            !knows || module.name == "connect",
            "{} names a backend",
            module.name
        );
    }
}

#[test]
fn every_module_says_what_it_does_and_what_it_never_does() {
    for module in modules() {
        let head = module
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"));
        let paragraphs = head.collect::<Vec<_>>().join("\n");
        let paragraphs = paragraphs
            .split("\n//!\n")
            .filter(|paragraph| paragraph.contains('.'));
        assert!(
            paragraphs.count() >= 2,
            "{}.rs does not open with what it does and what it never does",
            module.name
        );
    }
}

#[test]
fn no_file_says_more_than_one_thing() {
    let tests = fs::read_dir(root().join("tests")).unwrap();
    let tests = tests
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    let tests = tests.map(|path| {
        (
            path.display().to_string(),
            fs::read_to_string(path).unwrap(),
        )
    });
    let modules = modules()
        .into_iter()
        .map(|module| (module.name, module.text));
    for (name, text) in modules.chain(tests) {
        let lines = text.lines().count();
        assert!(lines <= 450, "{name} has {lines} lines");
    }
}

#[test]
fn the_library_neither_prints_nor_panics_nor_reads_another_clock() {
    let forbidden = [
        "println!",
        "print!",
        "dbg!",
        ".unwrap()",
        ".expect(",
        "panic!",
        "unsafe ",
        "std::time::Instant",
        "SystemTime",
        "thread::sleep",
    ];
    for module in modules() {
        for line in module.code() {
            let found = forbidden.iter().find(|word| line.contains(*word));
            assert!(found.is_none(), "{}: {line:?}", module.name);
        }
    }
}

#[test]
fn the_tests_the_readme_names_are_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let named: Vec<&str> = readme
        .split('`')
        .filter(|word| word.starts_with("tests/"))
        .collect();
    assert!(!named.is_empty(), "the guarantees name their tests");
    for test in named {
        assert!(
            root().join(test).is_file(),
            "the README names {test}, which does not exist"
        );
    }
}
