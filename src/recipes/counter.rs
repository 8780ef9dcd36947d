//! A number that all processes count.
//!
//! Never counts twice what it says it counted once.

use serde::{Deserialize, Serialize};

use crate::recipes::name::escaped;
use crate::{Edit, Epoch, Error, ErrorKind, Globe, Result};

/// The map in which counters and ids stand: opened by the caller, and shared among all of them.
pub type Counts = Globe<String, Count>;

/// One record of [`Counts`]. As JSON it is `{"value":7}`, and that of ids has the life of the log it was written in as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Count {
    /// The number.
    pub value: i64,
    /// In which life of the log it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
}

/// A number of a name, from zero on: the record `counter/{name}`. Every addition is a commit of its own, so many processes that
/// count one number at the same time get in each other's way; ids that only have to be different are cheaper by
/// [`Ids`](crate::Ids).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{Counter, Counts, Globe, MemoryLog};
/// # let log = MemoryLog::new();
/// let counts: Counts = Globe::open(log, "counts").await?;
/// let visits = Counter::new(&counts, "visits")?;
/// assert_eq!(visits.add(3).await?, 3);
/// assert_eq!(visits.add(-1).await?, 2);
/// assert_eq!(visits.get(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Counter {
    counts: Counts,
    key: String,
}

impl Counter {
    /// The number of a name. Talks to nobody.
    ///
    /// # Errors
    /// `Invalid` for a name without characters, or of more than 512 bytes in a key.
    pub fn new(counts: &Counts, name: &str) -> Result<Counter> {
        Ok(Counter {
            counts: counts.clone(),
            key: format!("counter/{}", escaped("counter", name)?),
        })
    }

    /// The number, as the local copy shows it.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.counts
            .get(self.key.as_str())
            .map_or(0, |count| count.value)
    }

    /// Adds to it; what it is after that.
    ///
    /// # Errors
    /// `Invalid` when it would be more, or less, than 64 bits hold; `Indeterminate` when nobody knows whether it was added;
    /// otherwise as [`Globe::update`].
    pub async fn add(&self, by: i64) -> Result<i64> {
        let add = |count: Option<&Count>| {
            let before = count.map_or(0, |count| count.value);
            let value = before.checked_add(by).ok_or_else(|| {
                let why = format!("{} is {before}: {by} more do not fit into it", self.key);
                Error::new(ErrorKind::Invalid, why)
            })?;
            Ok::<_, Error>(Edit::Put(Count { value, epoch: None }))
        };
        let added = self.counts.try_update(self.key.as_str(), add).await?;
        Ok(added.entry().map_or(0, |entry| entry.value().value))
    }
}
