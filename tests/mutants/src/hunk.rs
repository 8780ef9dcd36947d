//! A hunk: a few lines of a source, and what becomes of them. A unified diff without line numbers.
//!
//! It never guesses: its old lines stand exactly once in the source, or it does not apply.

use std::ops::Range;

/// Lines of a source, and what becomes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hunk {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Kept(String),
    Removed(String),
    Added(String),
}

/// These lines of a source become those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) old: Range<usize>,
    pub(crate) new: Vec<String>,
}

impl Hunk {
    /// Takes a line as it stands in a list of defects; `false` when it is none of a hunk.
    pub(crate) fn take(&mut self, line: &str) -> bool {
        let line = match line.split_at_checked(1) {
            // An editor may have taken the space away.
            None => Line::Kept(String::new()),
            Some((" ", text)) => Line::Kept(text.to_owned()),
            Some(("-", text)) => Line::Removed(text.to_owned()),
            Some(("+", text)) => Line::Added(text.to_owned()),
            Some(_) => return false,
        };
        self.lines.push(line);
        true
    }

    /// Without the empty lines around it, which only part it from its neighbours.
    pub(crate) fn trimmed(mut self) -> Hunk {
        let is_blank = |line: &Line| matches!(line, Line::Kept(text) if text.trim().is_empty());
        while self.lines.last().is_some_and(is_blank) {
            self.lines.pop();
        }
        let blank = self.lines.iter().take_while(|line| is_blank(line)).count();
        self.lines.drain(..blank);
        self
    }

    /// What it adds.
    pub(crate) fn added(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| match line {
            Line::Added(text) => Some(&**text),
            Line::Kept(_) | Line::Removed(_) => None,
        })
    }

    /// What it does to a source. Code may move, and be indented more or less, but not change.
    ///
    /// # Errors
    /// When its old lines do not stand there exactly once.
    pub(crate) fn edits(&self, source: &[&str]) -> Result<Vec<Edit>, String> {
        let old: Vec<&str> = self.lines.iter().filter_map(Line::old).collect();
        if old.is_empty() {
            return Err("a hunk says nowhere where it belongs".to_owned());
        }
        let stands_at = |at: &usize| {
            let here = &source[*at..*at + old.len()];
            here.iter().zip(&old).all(|(a, b)| a.trim() == b.trim())
        };
        let last = (source.len() + 1).saturating_sub(old.len());
        let places: Vec<usize> = (0..last).filter(stands_at).collect();
        match places[..] {
            [at] => Ok(self.edits_at(at)),
            [] => Err(format!("these lines are not there:\n{}", old.join("\n"))),
            _ => Err(format!(
                "these lines are there {} times:\n{}",
                places.len(),
                old.join("\n")
            )),
        }
    }

    fn edits_at(&self, mut at: usize) -> Vec<Edit> {
        let mut edits: Vec<Edit> = Vec::new();
        let mut is_apart = true;
        for line in &self.lines {
            if let Line::Kept(_) = line {
                at += 1;
                is_apart = true;
                continue;
            }
            if std::mem::take(&mut is_apart) {
                let (old, new) = (at..at, Vec::new());
                edits.push(Edit { old, new });
            }
            let Some(edit) = edits.last_mut() else {
                continue;
            };
            if let Line::Added(text) = line {
                edit.new.push(text.clone());
            } else {
                at += 1;
                edit.old.end = at;
            }
        }
        edits
    }
}

impl Line {
    fn old(&self) -> Option<&str> {
        match self {
            Line::Kept(text) | Line::Removed(text) => Some(text),
            Line::Added(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunk(text: &str) -> Hunk {
        let mut hunk = Hunk::default();
        assert!(text.lines().all(|line| hunk.take(line)));
        hunk.trimmed()
    }

    #[test]
    fn it_finds_its_lines_wherever_they_moved() {
        let moved = ["fn new() {", "    a();", "        b();", "}"];
        let edits = hunk(" a();\n-b();\n+c();").edits(&moved).unwrap();
        let new = vec!["c();".to_owned()];
        assert_eq!(edits, [Edit { old: 2..3, new }]);
    }

    #[test]
    fn it_does_not_apply_to_lines_that_changed_or_that_stand_there_twice() {
        let gone = hunk("-b();\n+c();").edits(&["a();"]).unwrap_err();
        assert!(gone.contains("not there"), "{gone}");
        let twice = hunk("-a();").edits(&["a();", "b();", "a();"]).unwrap_err();
        assert!(twice.contains("2 times"), "{twice}");
    }

    #[test]
    fn what_is_added_between_two_lines_removes_neither() {
        let edits = hunk(" a();\n+c();\n b();")
            .edits(&["a();", "b();"])
            .unwrap();
        let new = vec!["c();".to_owned()];
        assert_eq!(edits, [Edit { old: 1..1, new }]);
    }
}
