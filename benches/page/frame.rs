//! The page: what the run was made on, then each section with its drawing, its table, and what could not be measured.
//!
//! It never leaves out what was kept, and has no section for what was not.

use globe_bench::{Done, Line, Record, Run};

use crate::sections::{SECTIONS, Section};
use crate::table::table;

/// A group of the results.
pub(crate) struct Group<'a> {
    pub(crate) name: &'a str,
    pub(crate) records: Vec<&'a Record>,
}

/// What is drawn.
pub(crate) fn drawn(lines: &[Line]) -> Vec<Group<'_>> {
    let drawn = SECTIONS.iter().filter(|section| section.is_drawn());
    let groups = drawn.map(|section| group(section.group, lines));
    groups.filter(|group| !group.records.is_empty()).collect()
}

fn group<'a>(name: &'a str, lines: &'a [Line]) -> Group<'a> {
    let records = lines.iter().filter_map(|line| match line {
        Line::Row(record) if record.group == name => Some(record),
        _ => None,
    });
    Group {
        name,
        records: records.collect(),
    }
}

/// The whole page.
pub(crate) fn page(lines: &[Line]) -> Done<String> {
    let run = lines.iter().find_map(|line| match line {
        Line::Run(run) => Some(run),
        _ => None,
    });
    let has_section = |name: &str| SECTIONS.iter().any(|section| section.group == name);
    let lost = lines.iter().find_map(|line| match line {
        Line::Row(record) if !has_section(&record.group) => Some(&record.group),
        _ => None,
    });
    if let Some(lost) = lost {
        return Err(format!("there is no section for {lost}").into());
    }
    let mut page = head(run.ok_or("it is not known what these results were made on")?);
    for section in SECTIONS {
        page += &written(section, lines);
    }
    Ok(page)
}

fn head(run: &Run) -> String {
    let versions = run.versions.iter();
    let versions = versions.map(|(name, version)| format!("{name} {version}"));
    let versions = versions.collect::<Vec<_>>().join(", ");
    let quick = match run.command.contains("--quick") {
        true => " It was a quick run: of few rounds, without the largest sizes.",
        false => "",
    };
    format!(
        "# Benchmarks\n\n\
         Written by `{}`: nothing here was written by hand but the frame (`benches/page/sections.rs`).{quick} What the figures \
         mean, and where they stop, is in [performance.md](performance.md).\n\n\
         Each row is one contest: its subjects were measured by turns in the same run. A cell is the median of all rounds, and \
         below it the quartiles; the best of more than two is bold. *Compared* is the median of what the first took in a round, \
         divided by what the best of its peers took in the same round; where a target is a difference, it is that. Times of \
         another run, or of another machine, are not to be compared with these.\n\n\
         - {}, commit {}\n\
         - {} cores, {}, {}, load {} at the beginning\n\
         - {versions}\n",
        run.command, run.date, run.commit, run.cores, run.processor, run.kernel, run.load,
    )
}

/// A section, if anything is known of it.
fn written(section: &Section, lines: &[Line]) -> String {
    let records = group(section.group, lines).records;
    let remarks = lines.iter().filter_map(|line| match line {
        Line::Remark(group, what) if group == section.group => Some(what.as_str()),
        _ => None,
    });
    let mut remarks: Vec<&str> = remarks.collect();
    remarks.dedup();
    if records.is_empty() && remarks.is_empty() {
        return String::new();
    }
    let mut parts = vec![format!("## {}", section.title)];
    parts.push(section.about.to_owned());
    if section.is_drawn() && !records.is_empty() {
        parts.push(format!(
            "![{}](benchmarks/{}.svg)",
            section.title, section.group
        ));
    }
    // Where a subject is missing in some rows, they stand in a table of their own.
    let by_subjects = records.chunk_by(|one, other| names(one) == names(other));
    parts.extend(by_subjects.map(|records| table(records).trim_end().to_owned()));
    parts.extend(remarks.into_iter().map(str::to_owned));
    parts.retain(|part| !part.is_empty());
    format!("\n{}\n", parts.join("\n\n"))
}

fn names(record: &Record) -> Vec<&str> {
    let subjects = record.subjects.iter();
    subjects.map(|subject| subject.name.as_str()).collect()
}
