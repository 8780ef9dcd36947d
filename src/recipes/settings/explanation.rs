//! Why a setting is what it is.
//!
//! Never holds a value: it can be shown to whoever may know that there is such a setting.

use serde::Serialize;

use crate::recipes::settings::merge::{decides, leaves};
use crate::recipes::settings::problem::Problem;
use crate::recipes::settings::resolve::Findings;
use crate::recipes::settings::source::Source;
use crate::{Position, Version};

/// Why a setting is what it is, for this process: made by [`Setting::explain`](crate::settings::Setting::explain).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The name of the setting.
    pub setting: String,
    /// The process it is explained for.
    pub instance: String,
    /// The most specific layer that has a say.
    pub source: Source,
    /// Where in the log the map stood when the records of the setting were looked at last.
    pub position: Position,
    /// Where each field comes from.
    pub fields: Vec<Field>,
    /// What was refused, and what could not be applied.
    pub problems: Vec<Problem>,
}

/// Where one field of a setting comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Field {
    /// The field, as a JSON pointer: `/pool/size`. Empty when the setting has no fields.
    pub field: String,
    /// Which layer says what it is.
    pub source: Source,
    /// Who published that; nobody knows of what was put by hand.
    pub by: Option<String>,
    /// When, by the clock of who published it, as RFC 3339 writes it. For people: nothing is decided by it.
    pub at: Option<String>,
    /// The write since which it stands, if it does.
    pub since: Option<Version>,
}

impl Explanation {
    pub(crate) fn of(
        setting: &str,
        instance: &str,
        findings: &Findings,
        problems: Vec<Problem>,
    ) -> Explanation {
        let fields = leaves(&findings.json).into_iter();
        Explanation {
            setting: setting.to_owned(),
            instance: instance.to_owned(),
            source: findings.source(),
            position: findings.position,
            fields: fields.map(|field| Field::of(field, findings)).collect(),
            problems,
        }
    }
}

impl Field {
    fn of(field: String, findings: &Findings) -> Field {
        let mut narrowest_first = findings.applied.iter().rev();
        let applied = narrowest_first.find(|applied| decides(&applied.patch, &field));
        Field {
            source: applied.map_or(Source::Default, |applied| applied.source.clone()),
            by: applied.and_then(|applied| applied.by.clone()),
            at: applied.and_then(|applied| applied.at.clone()),
            since: applied.and_then(|applied| applied.since),
            field,
        }
    }
}
