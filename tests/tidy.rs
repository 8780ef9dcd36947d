//! The house stays in order: who may import whom, what a module says of itself, what never stands in `src/`.
//!
//! Reads the sources as text; knows nothing of what they do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of a crate and what stands on top of them, from the ground up. A room may import only what stands below it, so
/// data flows the way the list reads.
type Floors = &'static [&'static [&'static str]];

/// The crates that have rooms.
const HOUSES: &[(&str, Floors)] = &[
    ("", MAP),
    ("log_clients/etcd", ETCD),
    ("log_clients/sqlite", SQLITE),
];

const ETCD: Floors = &[
    &["fault", "records", "runtime"],
    &["heads", "life", "settings"],
    &["fence", "limits", "members"],
    &["queue", "streams"],
    &["cluster"],
    &["lease", "read"],
    &["commit", "tail"],
    &["log"],
];

const SQLITE: Floors = &[
    &["error", "ids", "time", "waking", "way"],
    &["begun", "file", "leases", "row", "seen"],
    &["changes", "silence", "stand"],
    &["schema", "writes"],
    &["opened"],
    &["reader", "writer"],
    &["watcher"],
    &["shared"],
    &["pages", "tailing"],
    &["sqlite_log"],
    &["builder"],
    &["url"],
];

const MAP: Floors = &[
    &["ground"],
    &["entry"],
    &["replica"],
    &["follow", "read"],
    &["write"],
    &["map_settings"],
    &["reader"],
    &["cached", "globe"],
    &["connect"],
    &[
        "builder",
        "consistent_views",
        "hearing",
        "transaction",
        "writing",
    ],
    &["session"],
    &["fence"],
    &["recipes"],
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

struct Module {
    /// As it is imported, without `crate::`: `replica`, `replica::index`.
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

    /// The paths it mentions, without `crate::`; those by `super::` as well.
    fn mentions(&self) -> Vec<String> {
        let code = self.code().collect::<Vec<_>>().join("\n");
        let above = self.name.rsplit_once("::").map(|(above, _)| above);
        let above = above.map_or_else(String::new, |above| format!("{above}::"));
        let mut mentions = paths_after("crate::", &code, "");
        mentions.extend(paths_after("super::", &code, &above));
        mentions
    }

    fn room(&self) -> &str {
        room(&self.name)
    }
}

/// What follows `word` in `code`, in `folder`: one path, or each of a group in braces.
fn paths_after(word: &str, code: &str, folder: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut paths = Vec::new();
    for rest in code.split(word).skip(1) {
        let path = rest.split(|c| !is_path(c)).next().unwrap_or(rest);
        let group = rest[path.len()..].strip_prefix('{');
        let Some(group) = group.and_then(|rest| rest.split('}').next()) else {
            paths.push(format!("{folder}{path}"));
            continue;
        };
        let of_group = group.split([',', '{']).map(str::trim);
        paths.extend(of_group.map(|one| format!("{folder}{path}{one}")));
    }
    paths
}

fn room(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

/// The modules in a folder of sources, but for its `lib.rs` and what is only compiled for tests.
fn modules_in(folder: &Path) -> Vec<Module> {
    let mut modules = Vec::new();
    collect(folder, "", &mut modules);
    assert!(!modules.is_empty(), "no sources in {}", folder.display());
    modules
}

fn collect(folder: &Path, under: &str, modules: &mut Vec<Module>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let name = match (under, &*stem) {
            ("", stem) => stem.to_owned(),
            (under, "mod") => under.to_owned(),
            (under, stem) => format!("{under}::{stem}"),
        };
        if path.is_dir() {
            collect(&path, &name, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !matches!(&*stem, "lib" | "main" | "tests")
        {
            let text = fs::read_to_string(&path).unwrap();
            modules.push(Module { name, text });
        }
    }
}

fn modules() -> Vec<Module> {
    modules_of("")
}

/// The modules of every crate, each named with it.
fn modules_of_all() -> impl Iterator<Item = Module> {
    let of = |name: &'static str| {
        modules_of(name).into_iter().map(move |module| Module {
            name: format!("{name} {}", module.name),
            ..module
        })
    };
    CRATES.iter().flat_map(move |name| of(name))
}

/// The modules of a crate.
fn modules_of(name: &str) -> Vec<Module> {
    modules_in(&root().join(name).join("src"))
}

fn floor(floors: Floors, room: &str) -> usize {
    let found = floors.iter().position(|floor| floor.contains(&room));
    found.unwrap_or_else(|| panic!("{room} has no place in the table of floors: give it one"))
}

#[test]
fn rooms_import_only_what_stands_below_them() {
    for (house, floors) in HOUSES {
        for module in modules_of(house) {
            let stands = floor(floors, module.room());
            let mentions = module.mentions();
            let rooms = mentions.iter().map(|path| room(path));
            // What stands at the top of the crate is not in a room: only the recipes, on the last floor, may see it.
            let is_top = |import: &&str| import.starts_with(char::is_uppercase);
            for import in rooms.filter(|import| module.room() != "recipes" || !is_top(import)) {
                assert!(
                    import == module.room() || floor(floors, import) < stands,
                    "{house} {}: imports {import}, which does not stand below it",
                    module.name
                );
            }
        }
    }
}

/// What is built on the map stands on what a user has: the names at the top of the crate. Besides that only on claims, which
/// are what a session keeps for it, on pauses, and on waiting with a waker of the caller's.
#[test]
fn a_recipe_stands_on_the_public_map_and_the_session_only() {
    let recipes = modules()
        .into_iter()
        .filter(|module| module.room() == "recipes");
    for module in recipes {
        for import in module.mentions() {
            let is_public = import.starts_with(char::is_uppercase);
            let is_own = room(&import) == "recipes" || room(&import) == "fence";
            let is_lent = ["session::claims", "ground::backoff", "ground::careful"];
            let is_lent = is_lent.iter().any(|lent| import.starts_with(lent));
            assert!(
                is_public || is_own || is_lent,
                "{}: imports {import}",
                module.name
            );
        }
    }
}

#[test]
fn every_floor_names_rooms_that_exist() {
    for (house, floors) in HOUSES {
        let modules = modules_of(house);
        for name in floors.iter().copied().flatten() {
            assert!(
                modules.iter().any(|module| module.name == *name),
                "there is no room {name} in {house}"
            );
        }
    }
}

/// Every crate whose sources are held to this.
const CRATES: &[&str] = &[
    "",
    "benches",
    "examples/config",
    "examples/registry",
    "examples/shards",
    "examples/stage",
    "examples/two_processes",
    "log_clients/etcd",
    "log_clients/faulty",
    "log_clients/leases",
    "log_clients/log_client",
    "log_clients/memory",
    "log_clients/offline",
    "log_clients/sqlite",
    "tests/cluster",
    "tests/loom",
    "tests/mutants",
    "tests/protocols",
    "tests/oracle",
    "tests/shuttle",
    "tests/support",
    "tests/surface",
];

#[test]
fn every_crate_of_the_workspace_is_held_to_it() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split_once("members = [").unwrap().1;
    let members = members.split(']').next().unwrap();
    let members: BTreeSet<&str> = members.split('"').skip(1).step_by(2).collect();
    let named = CRATES.iter().copied().filter(|name| !name.is_empty());
    assert_eq!(named.collect::<BTreeSet<_>>(), members);
}

#[test]
fn no_module_imports_itself_by_any_detour() {
    for folder in CRATES {
        let modules = modules_of(folder);
        // Each module with those it imports: the longest name that begins the path.
        let imports: BTreeMap<&str, BTreeSet<&str>> = modules
            .iter()
            .map(|module| (&*module.name, imported(module, &modules)))
            .collect();
        let mut left = imports.clone();
        // What imports nothing that is left is in no circle.
        while let Some(done) = left
            .iter()
            .find(|(_, imports)| imports.iter().all(|import| !left.contains_key(import)))
            .map(|(name, _)| *name)
        {
            left.remove(done);
        }
        assert!(
            left.is_empty(),
            "in {folder:?} these import each other, or what does: {left:#?}"
        );
    }
}

fn imported<'a>(module: &Module, modules: &'a [Module]) -> BTreeSet<&'a str> {
    let names = modules.iter().map(|module| &*module.name);
    let begins = |path: &str, name: &str| {
        path.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    module
        .mentions()
        .iter()
        .filter_map(|path| {
            let known = names.clone().filter(|name| begins(path, name));
            known.max_by_key(|name| name.len())
        })
        .filter(|name| *name != module.name)
        .collect()
}

const BACKENDS: [&str; 3] = ["globe_memory", "globe_sqlite", "globe_etcd"];

#[test]
fn only_the_list_of_backends_knows_a_backend() {
    for module in modules() {
        let knows = module
            .code()
            .any(|line| BACKENDS.iter().any(|backend| line.contains(backend)));
        assert!(
            !knows || module.name == "connect",
            "{} names a backend",
            module.name
        );
    }
}

#[test]
fn every_module_says_what_it_does_and_what_it_never_does() {
    for module in modules_of_all() {
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
    let modules = modules_of_all().map(|module| (module.name, module.text));
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
    // Tells people when something was published; nothing is decided by it.
    let for_people = ("recipes::settings::stamp", "SystemTime");
    for module in modules() {
        for line in module.code() {
            let is_for_people = |word: &str| (&*module.name, word) == for_people;
            let mut found = forbidden.iter().filter(|word| line.contains(**word));
            let found = found.find(|word| !is_for_people(word));
            assert!(found.is_none(), "{}: {line:?}", module.name);
        }
    }
}

/// Where documents stand that name sources, from there or from the root.
const DOCUMENTS: &[&str] = &["", "docs", "log_clients/etcd", "log_clients/sqlite"];

#[test]
fn the_sources_that_documents_name_are_there() {
    let mut named = 0;
    for folder in DOCUMENTS.iter().map(|folder| root().join(folder)) {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let words = text.split('`').filter(|word| word.ends_with(".rs"));
            for word in words.filter(|word| word.contains('/') && !word.contains(' ')) {
                let is_there = root().join(word).is_file() || folder.join(word).is_file();
                assert!(is_there, "{} names {word}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 0, "the guarantees name their tests");
}
