//! A barrier that somebody closes and opens, and others wait at.
//!
//! Never opens by itself: what is closed stays so, whoever dies.

use crate::recipes::claim::{Claim, Claims};
use crate::recipes::name::escaped;
use crate::{Result, View};

/// A barrier of a name, which is open until somebody closes it: the record `barrier/{name}` stands while it is closed. It
/// belongs to nobody: who closed it may die, and it stays closed until somebody opens it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{Barrier, Claims, Globe, MemoryLog};
/// # let log = MemoryLog::new();
/// let claims: Claims = Globe::open(log, "claims").await?;
/// let migration = Barrier::new(&claims, "migration")?;
/// assert!(migration.close().await?);
/// assert!(!migration.close().await?); // it was closed already
/// migration.open().await?;
/// migration.wait().await?; // at once
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Barrier {
    claims: Claims,
    key: String,
}

impl Barrier {
    /// The barrier of a name. Talks to nobody.
    ///
    /// # Errors
    /// `Invalid` for a name without characters, or of more than 512 bytes in a key.
    pub fn new(claims: &Claims, name: &str) -> Result<Barrier> {
        Ok(Barrier {
            claims: claims.clone(),
            key: format!("barrier/{}", escaped("barrier", name)?),
        })
    }

    /// Closes it; whether it was open. One commit.
    ///
    /// # Errors
    /// As every write.
    pub async fn close(&self) -> Result<bool> {
        let record = Claim::note("", serde_json::Value::Null);
        match self.claims.create(self.key.as_str(), record).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens it, and lets all who wait go on; whether it was closed. One commit.
    ///
    /// # Errors
    /// As every write.
    pub async fn open(&self) -> Result<bool> {
        let deleted = self.claims.delete(self.key.as_str()).await?;
        Ok(deleted.replaced())
    }

    /// Waits until it is open: at least as open as it was when this was called. Costs a question to the log, and then nothing.
    /// Has no deadline but that of the question. Cancel safe.
    ///
    /// # Errors
    /// As [`sync`](crate::Reader::sync); `Closed` when the map ends.
    pub async fn wait(&self) -> Result<()> {
        self.claims.sync().await?;
        let is_open = |view: &View<String, Claim>| !view.contains_key(self.key.as_str());
        self.claims.wait_for(is_open).await.map(drop)
    }
}
