//! Every planted defect is one still: it applies to the sources as they are, and names tests that there are.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use globe_mutants::{Defect, Patched, TestName};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn defects() -> Vec<Defect> {
    Defect::all(&root().join("tests/mutants/defects")).unwrap()
}

#[test]
fn every_defect_still_applies() {
    let planted = Patched::plant(&root(), &defects());
    let problems = planted.err().unwrap_or_default();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_defect_has_a_name_of_its_own_and_says_what_is_wrong() {
    let mut names = BTreeSet::new();
    for defect in defects() {
        assert!(!defect.what.is_empty(), "{}", defect.name);
        assert!(names.insert(defect.name.clone()), "two are {}", defect.name);
    }
}

#[test]
fn every_defect_names_tests_that_there_are() {
    for defect in defects() {
        assert!(!defect.tests.is_empty(), "{} is found by none", defect.name);
        for test in &defect.tests {
            assert!(is_there(test), "{}: there is no {test}", defect.name);
        }
    }
}

/// Whether a source of its program, or beside it, has a function of its name; of a case (`on_…`, `of_…`), one of the name
/// above, or a folder of cases that is called so.
fn is_there(test: &TestName) -> bool {
    let program = root().join(&test.program);
    let mut words = test.name.rsplit("::");
    let (name, above) = (words.next().unwrap(), words.next());
    // That a file has tests says nothing.
    let is_case = name.starts_with("on_") || name.starts_with("of_");
    let name = above.filter(|_| is_case).unwrap_or(name);
    let begins = [format!("fn {name}("), format!("mod {name} {{")];
    let is_in = |text: &str| begins.iter().any(|begin| text.contains(begin));
    if program
        .file_name()
        .is_some_and(|name| name == "lib.rs" || name == "main.rs")
    {
        return texts(program.parent().unwrap())
            .iter()
            .any(|text| is_in(text));
    }
    // The conformance suite comes with its own cases.
    let suite = root().join("log_clients/log_client/src/conformance");
    let text = fs::read_to_string(&program).unwrap_or_default();
    is_in(&text) || text.contains("conformance") && texts(&suite).iter().any(|text| is_in(text))
}

fn texts(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(self::texts(&path));
        } else {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
    texts
}
