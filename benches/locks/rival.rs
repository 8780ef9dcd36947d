//! A process that wants the lock: a way of its own to the server, its claims and its session.
//!
//! It never shares any of them with another one.

use globe::{Claims, EtcdLog, Globe, Lock, Session};
use globe_bench::Done;
use tokio::time::Duration;

/// One who wants a lock.
pub(crate) struct Rival {
    pub(crate) claims: Claims,
    pub(crate) session: Session,
}

impl Rival {
    pub(crate) async fn new(endpoint: &str) -> Done<Rival> {
        Rival::with(endpoint, Duration::from_secs(10)).await
    }

    /// Whose session lives for so long without a renewal.
    pub(crate) async fn with(endpoint: &str, ttl: Duration) -> Done<Rival> {
        let log = EtcdLog::connect([endpoint]).await?;
        Ok(Rival {
            claims: Globe::open(log.clone(), "claims").await?,
            session: Session::builder(log).ttl(ttl).open().await?,
        })
    }

    pub(crate) fn lock(&self) -> globe::Result<Lock> {
        Lock::new(&self.claims, &self.session, "invoices")
    }

    /// Waits until so many claims stand.
    pub(crate) async fn counts(&self, expected: usize) -> globe::Result<()> {
        self.claims.wait_for(|view| view.len() == expected).await?;
        Ok(())
    }
}
