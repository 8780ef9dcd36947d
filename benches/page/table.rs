//! A table of one group, in Markdown: a row for each figure, a column for each subject.
//!
//! It never leaves a row out.

use globe_bench::{Record, Subject, Unit};

/// The table of these records, which have the same subjects.
pub(crate) fn table(records: &[&Record]) -> String {
    let Some(first) = records.first() else {
        return String::new();
    };
    let has_targets = records.iter().any(|record| record.met.is_some());
    let mut heads = vec!["figure"];
    heads.extend(first.subjects.iter().map(|subject| subject.name.as_str()));
    heads.push("compared");
    if has_targets {
        heads.extend(["target", "met"]);
    }
    let lines = "--:|".repeat(heads.len() - 1);
    let mut table = format!("| {} |\n|---|{lines}\n", heads.join(" | "));
    for record in records {
        table += &row(record, has_targets);
    }
    table
}

fn row(record: &Record, has_targets: bool) -> String {
    let mut cells = vec![record.figure.clone()];
    let best = best(record);
    for subject in &record.subjects {
        let cell = cell(subject, record.unit);
        cells.push(match subject.spread.median == best {
            true if record.subjects.len() > 2 => format!("**{cell}**"),
            _ => cell,
        });
    }
    cells.push(record.compared.clone());
    if has_targets {
        cells.extend([record.target.clone(), record.says_met().to_owned()]);
    }
    format!("| {} |\n", cells.join(" | "))
}

/// The best median of all.
fn best(record: &Record) -> f64 {
    let medians = record.subjects.iter().map(|subject| subject.spread.median);
    match record.unit.more_is_better() {
        true => medians.fold(f64::NAN, f64::max),
        false => medians.fold(f64::NAN, f64::min),
    }
}

/// The median, and where there was more than one round the quartiles.
fn cell(subject: &Subject, unit: Unit) -> String {
    let spread = subject.spread;
    let median = unit.show(spread.median);
    if spread.rounds < 2 {
        return median;
    }
    let (low, high) = (unit.show(spread.low), unit.show(spread.high));
    // Said once, where it is the same.
    let low = match (low.split_once(' '), high.split_once(' ')) {
        (Some((amount, of)), Some((_, same))) if of == same => amount,
        _ => &low,
    };
    format!("{median} <sub>{low}–{high}</sub>")
}
