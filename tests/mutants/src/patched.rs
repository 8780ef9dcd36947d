//! The sources with every defect planted in them, each in force only while it is chosen.
//!
//! A defect that no longer applies is named, and so are two that want to change the same lines; nothing is left out
//! quietly.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Defect;
use crate::hunk::Edit;

/// Added to each crate that a defect is planted in.
const CHOSEN: &str = r#"
/// Whether the defect of this name is in force.
#[allow(dead_code)]
pub(crate) fn chosen(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<std::ffi::OsString>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var_os("GLOBE_MUTANT"));
    chosen.as_ref().is_some_and(|chosen| chosen == name)
}
"#;

/// The texts of the files that differ from the clean ones, by their path from the root of the workspace.
#[derive(Debug, Default)]
pub struct Patched {
    files: BTreeMap<PathBuf, String>,
}

impl Patched {
    /// Plants them in the sources below `root`, which stay as they are.
    ///
    /// # Errors
    /// A line for each defect that cannot be planted.
    pub fn plant(root: &Path, defects: &[Defect]) -> Result<Patched, Vec<String>> {
        let mut problems = Vec::new();
        let mut edits: BTreeMap<&str, Vec<(Edit, &str)>> = BTreeMap::new();
        let mut sources: BTreeMap<&str, String> = BTreeMap::new();
        for defect in defects {
            if !defect.is_chosen_by_its_name() {
                problems.push(format!("{}: it is not chosen by its name", defect.name));
            }
            for patch in &defect.patches {
                let source = sources.entry(&patch.file);
                let source = source.or_insert_with(|| read(root, &patch.file));
                let lines: Vec<&str> = source.lines().collect();
                for hunk in &patch.hunks {
                    match hunk.edits(&lines) {
                        Ok(found) => edits
                            .entry(&patch.file)
                            .or_default()
                            .extend(found.into_iter().map(|edit| (edit, &*defect.name))),
                        Err(error) => {
                            problems.push(format!("{}: in {} {error}", defect.name, patch.file));
                        }
                    }
                }
            }
        }
        let mut patched = Patched::default();
        for (file, edits) in edits {
            match apply(&sources[file], edits) {
                Ok(text) => {
                    patched.files.insert(PathBuf::from(file), text);
                }
                Err(clash) => problems.push(format!("{clash} of {file}")),
            }
        }
        for file in sources.keys() {
            patched.let_choose(root, file);
        }
        if problems.is_empty() {
            Ok(patched)
        } else {
            Err(problems)
        }
    }

    /// Lets the crate of a file choose.
    fn let_choose(&mut self, root: &Path, file: &str) {
        let crate_root = match file.rsplit_once("src/") {
            Some((package, _)) => PathBuf::from(format!("{package}src/lib.rs")),
            None => return,
        };
        let text = self.files.entry(crate_root.clone());
        let text = text.or_insert_with(|| read(root, &crate_root));
        if !text.ends_with(CHOSEN) {
            text.push_str(CHOSEN);
        }
    }

    /// The text of a file, when it is not the clean one.
    #[must_use]
    pub fn text(&self, file: &Path) -> Option<&str> {
        self.files.get(file).map(String::as_str)
    }
}

/// A file that is not there has no lines, so nothing applies to it.
fn read(root: &Path, file: impl AsRef<Path>) -> String {
    fs::read_to_string(root.join(file)).unwrap_or_default()
}

fn apply(source: &str, mut edits: Vec<(Edit, &str)>) -> Result<String, String> {
    edits.sort_by_key(|(edit, _)| (edit.old.start, edit.old.end));
    for pair in edits.windows(2) {
        let [(first, one), (second, other)] = pair else {
            continue;
        };
        if second.old.start < first.old.end {
            return Err(format!("{one} and {other} want to change the same lines"));
        }
    }
    let mut lines = source.lines().enumerate().peekable();
    let mut text = String::new();
    let mut push = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for (edit, _) in edits {
        while let Some((_, line)) = lines.next_if(|(at, _)| *at < edit.old.start) {
            push(line);
        }
        edit.new.iter().for_each(|line| push(line));
        while lines.next_if(|(at, _)| *at < edit.old.end).is_some() {}
    }
    lines.for_each(|(_, line)| push(line));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: std::ops::Range<usize>, new: &[&str]) -> Edit {
        let new = new.iter().map(|line| (*line).to_owned()).collect();
        Edit { old, new }
    }

    #[test]
    fn defects_at_neighbouring_lines_do_not_disturb_each_other() {
        let edits = vec![
            (edit(2..3, &["C"]), "one"),
            (edit(1..2, &["B", "B"]), "two"),
        ];
        assert_eq!(apply("a\nb\nc\n", edits).unwrap(), "a\nB\nB\nC\n");
    }

    #[test]
    fn defects_that_want_the_same_lines_are_named() {
        let edits = vec![(edit(0..2, &[]), "one"), (edit(1..2, &[]), "two")];
        let clash = apply("a\nb\n", edits).unwrap_err();
        assert!(clash.contains("one and two"), "{clash}");
    }
}
