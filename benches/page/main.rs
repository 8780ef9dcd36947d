//! Writes `docs/benchmarks.md` and its drawings from what a run has kept.
//!
//! It never measures anything, and says nothing of what was measured but what was kept.
//!
//!     page begin COMMAND    begins the results of a run, with what it is made on
//!     page failed GROUP     says that what should be there is missing
//!     page end              writes the page

mod chart;
mod frame;
mod machine;
mod sections;
mod table;

use std::fs;
use std::path::Path;

use globe_bench::{Done, Line, keep, kept, remark, results};

fn main() -> Done {
    let file = results().ok_or("no file of results is named")?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["begin", command] => begin(&file, command),
        ["failed", group] => {
            remark(group, "It failed: figures of it are missing.");
            Ok(())
        }
        ["end"] => end(&file),
        _ => Err("usage: page begin COMMAND | page failed GROUP | page end".into()),
    }
}

fn begin(file: &Path, command: &str) -> Done {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, "")?;
    keep(&Line::Run(machine::run(command)?));
    Ok(())
}

fn end(file: &Path) -> Done {
    let lines = kept(file)?;
    let docs = machine::sources().join("docs");
    let drawings = docs.join("benchmarks");
    // Those of the run before are of other figures.
    if drawings.exists() {
        fs::remove_dir_all(&drawings)?;
    }
    fs::create_dir_all(&drawings)?;
    for group in frame::drawn(&lines) {
        let file = drawings.join(format!("{}.svg", group.name));
        chart::draw(&file, &group.records)?;
    }
    Ok(fs::write(docs.join("benchmarks.md"), frame::page(&lines)?)?)
}
