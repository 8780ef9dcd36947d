//! What a log says of itself, for whoever watches over it.
//!
//! Never asks the log, and never holds a value or a credential.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::error::Error;

/// How a log is doing, as far as its client knows without asking: for a page of health, a metric, a line in a report.
///
/// It serialises as it stands. What a log has to say besides, it says in [`details`](LogStatus::details); their names belong
/// to the log, and programs should not decide by them.
///
/// ```
/// use globe_log_client::{Error, ErrorKind, LogStatus};
///
/// let refused = Error::new(ErrorKind::Unavailable, "connection refused");
/// let status = LogStatus::new("etcd").failing(&refused).with("member", "http://10.0.0.1:2379");
/// assert_eq!(
///     status.to_string(),
///     "etcd (member http://10.0.0.1:2379): log unavailable: connection refused"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogStatus {
    /// The backend's name, as in [`Capabilities::name`](crate::Capabilities::name).
    pub name: String,
    /// Why the log could not be reached when it was last tried. `None` when it was reached, or not tried yet.
    pub last_failure: Option<String>,
    /// What else there is to say, by name.
    pub details: BTreeMap<String, String>,
}

impl LogStatus {
    /// For the author of a log: one that was reached, with no details.
    #[must_use]
    pub fn new(name: impl Into<String>) -> LogStatus {
        LogStatus {
            name: name.into(),
            last_failure: None,
            details: BTreeMap::new(),
        }
    }

    /// The same, of a log that could not be reached when it was last tried, if there is a reason; the reason as text,
    /// without its cause.
    #[must_use]
    pub fn failing<'a>(mut self, reason: impl Into<Option<&'a Error>>) -> LogStatus {
        let reason = reason.into();
        self.last_failure = reason.map(ToString::to_string);
        self
    }

    /// The same, with one thing more to say. It must hold no secret.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, detail: impl fmt::Display) -> LogStatus {
        self.details.insert(name.into(), detail.to_string());
        self
    }
}

/// One line for people.
impl fmt::Display for LogStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let details = self.details.iter();
        let details: Vec<_> = details
            .map(|(name, said)| format!("{name} {said}"))
            .collect();
        if !details.is_empty() {
            write!(f, " ({})", details.join(", "))?;
        }
        match &self.last_failure {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_status_serialises_as_it_stands() {
        let well = LogStatus::new("etcd").with("streams", 2);
        let json = serde_json::to_string(&well).unwrap();
        let expected = r#"{"name":"etcd","last_failure":null,"details":{"streams":"2"}}"#;
        assert_eq!(json, expected);
        let error = Error::new(ErrorKind::Unavailable, "refused");
        let failing = well.failing(&error);
        assert_eq!(
            failing.last_failure.as_deref(),
            Some("log unavailable: refused")
        );
        assert_eq!(failing.failing(None).last_failure, None);
    }
}
