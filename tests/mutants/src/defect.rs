//! A defect: its name, what is wrong, the tests that must find it, and the patches that plant it.
//!
//! It knows the form of the lists in `defects/`, not the sources they are about.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::hunk::Hunk;

/// A defect as a list describes it.
#[derive(Clone, Debug, Default)]
pub struct Defect {
    /// What it is chosen by.
    pub name: String,
    /// What is wrong while it is in force, in a few words.
    pub what: String,
    /// One of these must fail. They are run in this order, so the quickest stands first.
    pub tests: Vec<TestName>,
    pub(crate) patches: Vec<Patch>,
}

/// What becomes of one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patch {
    /// From the root of the workspace.
    pub(crate) file: String,
    pub(crate) hunks: Vec<Hunk>,
}

/// A test, by the source of the program it is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestName {
    /// `src/lib.rs` or `tests/NAME.rs` of a package, from the root of the workspace.
    pub program: String,
    /// As the program itself calls it.
    pub name: String,
}

impl fmt::Display for TestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program, self.name)
    }
}

impl Defect {
    /// Every defect of every list in a folder, list by list.
    ///
    /// # Errors
    /// When a list cannot be read, or a line of it is not understood.
    pub fn all(folder: &Path) -> Result<Vec<Defect>, String> {
        let lists = fs::read_dir(folder).map_err(|error| error.to_string())?;
        let mut lists: Vec<_> = lists.flatten().map(|entry| entry.path()).collect();
        lists.sort();
        let mut defects = Vec::new();
        for list in lists {
            let text = fs::read_to_string(&list).map_err(|error| error.to_string())?;
            let parsed = Defect::parse(&text);
            defects.extend(parsed.map_err(|error| format!("{}: {error}", list.display()))?);
        }
        Ok(defects)
    }

    fn parse(text: &str) -> Result<Vec<Defect>, String> {
        let mut defects: Vec<Defect> = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            if line.starts_with('#') {
                continue;
            }
            let understood = match line.strip_prefix("defect ") {
                Some(name) => {
                    let name = name.trim().to_owned();
                    defects.push(Defect {
                        name,
                        ..Defect::default()
                    });
                    true
                }
                None => match defects.last_mut() {
                    Some(defect) => defect.take(line),
                    None => line.is_empty(),
                },
            };
            if !understood {
                return Err(format!("line {number} is not understood: {line}"));
            }
        }
        Ok(defects.into_iter().map(Defect::trimmed).collect())
    }

    /// A line below its name.
    fn take(&mut self, line: &str) -> bool {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "what" => rest.clone_into(&mut self.what),
            "found" => {
                let Some((program, name)) = rest.split_once(' ') else {
                    return false;
                };
                let (program, name) = (program.to_owned(), name.trim().to_owned());
                self.tests.push(TestName { program, name });
            }
            "file" => self.patches.push(Patch {
                file: rest.to_owned(),
                hunks: vec![Hunk::default()],
            }),
            "@@" => match self.patches.last_mut() {
                Some(patch) => patch.hunks.push(Hunk::default()),
                None => return false,
            },
            _ => return self.take_source(line),
        }
        true
    }

    fn take_source(&mut self, line: &str) -> bool {
        let patch = self.patches.last_mut();
        match patch.and_then(|patch| patch.hunks.last_mut()) {
            Some(hunk) => hunk.take(line),
            None => line.is_empty(),
        }
    }

    fn trimmed(mut self) -> Defect {
        for patch in &mut self.patches {
            let hunks = std::mem::take(&mut patch.hunks);
            patch.hunks = hunks.into_iter().map(Hunk::trimmed).collect();
        }
        self
    }

    /// Whether it is in force while its name is chosen, and then only.
    pub(crate) fn is_chosen_by_its_name(&self) -> bool {
        let hunks = self.patches.iter().flat_map(|patch| &patch.hunks);
        let added: Vec<&str> = hunks.flat_map(Hunk::added).collect();
        let asked = added
            .iter()
            .flat_map(|line| line.split("chosen(\"").skip(1));
        let mut names = asked.filter_map(|rest| rest.split('"').next()).peekable();
        names.peek().is_some() && names.all(|name| name == self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"# A list.
defect forget_it
what   it is forgotten
found  tests/a.rs it_is_known
file   src/a.rs
 fn a() {
-    b();
+    if !crate::chosen("forget_it") {
+        b();
+    }

defect forget_both
what   both are
found  tests/a.rs it_is_known
found  src/lib.rs a::tests::both_are_known
file   src/a.rs
-    c();
@@
-    d();
file   src/b.rs
-    c();
"#;

    #[test]
    fn a_list_says_of_each_defect_what_finds_it_and_what_plants_it() {
        let defects = Defect::parse(LIST).unwrap();
        assert_eq!(defects.len(), 2);
        assert_eq!(defects[0].what, "it is forgotten");
        let are_chosen = defects.iter().map(Defect::is_chosen_by_its_name);
        assert_eq!(are_chosen.collect::<Vec<_>>(), [true, false]);
        let last = defects[1].tests.last().unwrap();
        assert_eq!(last.to_string(), "src/lib.rs a::tests::both_are_known");
        let files = defects[1].patches.iter();
        let hunks: Vec<_> = files
            .map(|patch| (&*patch.file, patch.hunks.len()))
            .collect();
        assert_eq!(hunks, [("src/a.rs", 2), ("src/b.rs", 1)]);
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        let error = Defect::parse("defect a\nfound nothing").unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }
}
