//! Plants each defect, and demands that the tests find it: `globe-mutants [NAME …]`.
//!
//! Ends with 1 when one survived, could not be planted, or was not looked for.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command talks to its user, and has no runtime"
)]

mod hunt;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use globe_mutants::{Defect, Patched, Scratch};
use hunt::Hunt;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    match look_for(&names) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("globe-mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many of the defects called so are not found; of all when none is named.
fn look_for(names: &[String]) -> Result<usize, String> {
    let begun = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().map_err(|error| error.to_string())?;
    let all = Defect::all(&root.join("tests/mutants/defects"))?;
    let patched = Patched::plant(&root, &all).map_err(|problems| problems.join("\n"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = root.join(target.map_or_else(|| PathBuf::from("target"), PathBuf::from));
    let scratch = Scratch::copy(&root, &target, &patched).map_err(|error| error.to_string())?;

    let tests: BTreeSet<_> = all.iter().flat_map(|defect| &defect.tests).collect();
    println!("== build");
    let programs = scratch.build(&tests)?;
    println!("   {} s", begun.elapsed().as_secs());
    let wanted = chosen(&all, names)?;
    let hunt = Hunt::new(&target, &programs);
    let survived = hunt.run(&wanted)?;
    println!(
        "== {survived} of {} survived, {} s in all",
        wanted.len(),
        begun.elapsed().as_secs()
    );
    Ok(survived)
}

fn chosen<'a>(all: &'a [Defect], names: &[String]) -> Result<Vec<&'a Defect>, String> {
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    let named = |name: &String| {
        let found = all.iter().find(|defect| defect.name == *name);
        found.ok_or_else(|| format!("no defect is called {name}"))
    };
    names.iter().map(named).collect()
}
