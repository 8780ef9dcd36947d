//! From a URL to settings.
//!
//! Never guesses: what it does not know it refuses by name.

use globe_log_client::{Error, ErrorKind, Result};

use crate::builder::MemoryLogBuilder;
use crate::memory_log::MemoryLog;

/// How many commits a log remembers that was opened by a URL, where the URL does not say.
const HISTORY: usize = 10_000;

impl MemoryLogBuilder {
    /// The settings that a URL names: `memory:`, or `memory:?history=N`.
    ///
    /// A log that is opened by its URL is meant to run for long, so it does not keep its whole
    /// [history](MemoryLogBuilder::history): 10,000 commits, if the URL does not say how many.
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong.
    pub fn from_url(url: &str) -> Result<MemoryLogBuilder> {
        let Some(rest) = url.strip_prefix("memory:") else {
            return Err(invalid("the URL of a memory log begins with memory:"));
        };
        let history = match rest.strip_prefix('?') {
            None if rest.is_empty() => HISTORY,
            None => {
                return Err(invalid(
                    "nothing but ?history=N may follow memory: in a URL",
                ));
            }
            Some(query) => history(query)?,
        };
        Ok(MemoryLog::builder().history(history))
    }
}

fn history(query: &str) -> Result<usize> {
    let Some(count) = query.strip_prefix("history=") else {
        return Err(invalid(
            "the one option of a memory: URL is history, as in memory:?history=10000",
        ));
    };
    match count.parse() {
        Ok(0) | Err(_) => Err(invalid(
            "history in a memory: URL is how many commits are kept: a whole number from 1 on",
        )),
        Ok(count) => Ok(count),
    }
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_how_much_is_kept_and_nothing_else() {
        let kept = |url| MemoryLogBuilder::from_url(url).map(|builder| builder.history);
        assert_eq!(kept("memory:").unwrap(), HISTORY);
        assert_eq!(kept("memory:?history=7").unwrap(), 7);
        for (url, word) in [
            ("memory", "memory:"),
            ("memory:x", "memory:"),
            ("memory://?history=7", "memory:"),
            ("memory:?", "history"),
            ("memory:?page_size=7", "history"),
            ("memory:?history=", "history"),
            ("memory:?history=0", "history"),
            ("memory:?history=-1", "history"),
            ("memory:?history=7&history=8", "history"),
        ] {
            let error = kept(url).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Invalid, "{url}");
            assert!(error.context().contains(word), "{url}: {error}");
        }
    }
}
