//! The surface of each published crate is the one that is listed in `docs/surface`.
//!
//! It never writes a listing: `cargo run -p globe-surface` does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use globe_surface::{PUBLISHED, difference};

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_public_surface_is_the_one_that_is_listed() {
    let mut changed = String::new();
    for listed in PUBLISHED {
        let now = listed.now(&tree()).unwrap();
        let difference = difference(&listed.listing(&tree()), &now);
        if !difference.is_empty() {
            let file = listed.file(Path::new(""));
            changed += &format!("\n{}\n{difference}", file.display());
        }
    }
    assert!(
        changed.is_empty(),
        "what users see has changed:\n{changed}\nIf it is meant to: `cargo run -p globe-surface` lists it anew. Commit the \
         listing with the change, and tell users in CHANGELOG.md."
    );
}

#[test]
fn every_published_crate_is_listed() {
    let clients = fs::read_dir(tree().join("log_clients")).unwrap();
    let mut folders: Vec<PathBuf> = clients
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.push(tree());
    for folder in folders {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let name = manifest
            .lines()
            .find_map(|line| line.strip_prefix("name = "));
        let name = name.unwrap().trim_matches('"');
        let is_published = !manifest.contains("publish = false");
        let is_listed = PUBLISHED.iter().any(|listed| listed.package == name);
        assert_eq!(is_published, is_listed, "{name}");
    }
}

#[test]
fn a_listing_that_is_there_belongs_to_a_published_crate() {
    for file in fs::read_dir(tree().join("docs/surface")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let package = file.strip_suffix(".txt").unwrap();
        assert!(
            PUBLISHED.iter().any(|listed| listed.package == package),
            "docs/surface/{file} lists nothing"
        );
    }
}
