//! The file that a run keeps what it measured in: one line of JSON for each thing there is to say.
//!
//! Nothing is kept, and nothing is missed, where no file was named: then the rows are only printed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::onlooker::Done;
use crate::record::Line;

/// Set to the file.
const RESULTS: &str = "GLOBE_BENCH_RESULTS";

/// The file, if one was named.
#[must_use]
pub fn results() -> Option<PathBuf> {
    std::env::var_os(RESULTS).map(PathBuf::from)
}

/// Keeps a line.
#[expect(clippy::print_stderr, reason = "a row that gets lost is said")]
pub fn keep(line: &Line) {
    let Some(file) = results() else {
        return;
    };
    if let Err(error) = append(&file, line) {
        eprintln!("not kept in {}: {error}", file.display());
    }
}

/// Prints what could not be measured, and keeps that in the place of its rows.
#[expect(clippy::print_stdout, reason = "who runs it by hand misses it as well")]
pub fn remark(group: &str, what: &str) {
    println!("{what}");
    keep(&Line::Remark(group.to_owned(), what.to_owned()));
}

fn append(file: &Path, line: &Line) -> Done {
    let line = serde_json::to_string(line)? + "\n";
    let mut file = File::options().create(true).append(true).open(file)?;
    Ok(file.write_all(line.as_bytes())?)
}

/// What was kept in a file.
///
/// # Errors
/// When it cannot be read, or holds anything else.
pub fn kept(file: &Path) -> Done<Vec<Line>> {
    let text = std::fs::read_to_string(file)?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, Run, Subject};
    use crate::spread::Spread;
    use crate::unit::Unit;

    #[test]
    fn what_is_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results.jsonl");
        let lines = [
            Line::Run(Run::default()),
            Line::Row(Record {
                group: "reads".to_owned(),
                figure: "`get`".to_owned(),
                unit: Unit::Time,
                subjects: vec![Subject {
                    name: "Globe".to_owned(),
                    spread: Spread::of([1.5, 2.5]),
                }],
                ratio: Some(1.1),
                compared: "1.10×".to_owned(),
                target: "–".to_owned(),
                met: None,
            }),
            Line::Remark("reads".to_owned(), "no server".to_owned()),
        ];
        for line in &lines {
            append(&file, line).unwrap();
        }
        assert_eq!(kept(&file).unwrap(), lines);
    }
}
