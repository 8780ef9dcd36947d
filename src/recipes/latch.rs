//! A latch: opens when so many have come.
//!
//! Never counts anybody twice, however often he comes.

use crate::recipes::claim::{Claim, Claims};
use crate::recipes::name::escaped;
use crate::{Error, ErrorKind, Result, View};

/// How often it is tried to arrive, when nobody knows what became of it.
const ATTEMPTS: u32 = 3;

/// A latch of a name, which opens when so many have arrived: each is a record `latch/{name}/{who}`, which stays until the
/// latch is reset. It says that they came, not that they still live.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{Claims, Globe, Latch, MemoryLog};
/// # let log = MemoryLog::new();
/// let claims: Claims = Globe::open(log, "claims").await?;
/// let ready = Latch::new(&claims, "ready", 2)?;
/// assert_eq!(ready.arrive("node-a").await?, 1);
/// assert_eq!(ready.arrive("node-a").await?, 1); // twice is once
/// assert_eq!(ready.arrive("node-b").await?, 2);
/// ready.wait().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Latch {
    claims: Claims,
    prefix: String,
    count: usize,
}

impl Latch {
    /// The latch of a name, which opens when so many have come. Talks to nobody.
    ///
    /// # Errors
    /// `Invalid` for a name without characters, or of more than 512 bytes in a key; and for a count of none.
    pub fn new(claims: &Claims, name: &str, count: usize) -> Result<Latch> {
        if count == 0 {
            let why = format!("the latch {name} would open when nobody has come");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        Ok(Latch {
            claims: claims.clone(),
            prefix: format!("latch/{}/", escaped("latch", name)?),
            count,
        })
    }

    /// Arrives; how many have by now, as far as this process sees. Arriving twice is arriving once, so an outcome that nobody
    /// knows is no reason to fail at once: it is tried again, twice.
    ///
    /// # Errors
    /// `Invalid` for a `who` without characters; otherwise as every write.
    pub async fn arrive(&self, who: &str) -> Result<usize> {
        let key = format!("{}{}", self.prefix, escaped("who arrives", who)?);
        for attempt in 1.. {
            let record = Claim::note(who, serde_json::Value::Null);
            match self.claims.create(key.as_str(), record).await {
                Err(error) if error.is_conflict() => break,
                Err(error) if error.may_be_committed() && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        Ok(self.arrived(&self.claims.view()))
    }

    /// Waits until it is open. Costs nothing while it waits. Has no deadline. Cancel safe.
    ///
    /// # Errors
    /// `Closed` when the map ends.
    pub async fn wait(&self) -> Result<()> {
        let is_open = |view: &View<String, Claim>| self.arrived(view) >= self.count;
        self.claims.wait_for(is_open).await.map(drop)
    }

    /// Forgets who has come.
    ///
    /// # Errors
    /// As [`Globe::delete_prefix`](crate::Globe::delete_prefix).
    pub async fn reset(&self) -> Result<()> {
        self.claims.delete_prefix(&self.prefix).await.map(drop)
    }

    fn arrived(&self, view: &View<String, Claim>) -> usize {
        view.with_prefix(&self.prefix.as_str()).count()
    }
}
