//! Entries that stand as long as a session does.
//!
//! Never writes one under a lease that may have ended: a write waits until its session is live.

use globe_log_client::Result;

use crate::entry::into_key::IntoKey;
use crate::entry::key::Key;
use crate::globe::Globe;
use crate::session::Session;
use crate::transaction::txn::Txn;
use crate::write::attempt::Basis;
use crate::write::written::Written;

/// Ephemeral entries.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Writes a key that is to stand as long as a session does, whatever stands there; a key that was permanent ends with the
    /// session from then on. While the session is suspended or restored it waits, until the deadline.
    ///
    /// From now on the session wants the entry: it is put back when somebody else deletes it, and after a loss as the
    /// session's [`Policy`](crate::Policy) says. This process' own [`delete`](Globe::delete) ends that; so does
    /// [`put_detached`](Globe::put_detached), which makes it permanent. Every other write through this map keeps it with the
    /// session. (A map and its clones are meant: another one that was opened on the same keyspace is somebody else.)
    ///
    /// Costs what a [`put`](Globe::put) costs. Cancel safe: one that was dropped, or whose outcome is not known, where nothing
    /// stood before, is not wanted: if it was written nevertheless, the session deletes it again, unless another write through
    /// this map has come in between, which keeps it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog, Session};
    /// # let log = MemoryLog::new();
    /// let servers: Globe<String, u16> = Globe::open(log.clone(), "servers").await?;
    /// let session = Session::open(log).await?;
    /// servers.put_ephemeral(&session, "web-7", 80).await?;
    /// servers.put("web-7", 8080).await?; // it stays with its session
    /// assert!(servers.get_entry("web-7").is_some_and(|entry| session.owns(&entry)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a session of another log; `Closed` for one that is closed; `Unavailable` when the session was not live
    /// until the deadline; otherwise as every write.
    pub async fn put_ephemeral(
        &self,
        session: &Session,
        key: impl IntoKey<K>,
        value: V,
    ) -> Result<Written> {
        self.write_ephemeral(session, key, value, Basis::Nothing)
            .await
    }

    /// As [`Globe::put_ephemeral`], only if there is no such key. Of several that try, exactly one does.
    ///
    /// # Errors
    /// `Conflict` with what stands there, which is then visible here; otherwise as [`Globe::put_ephemeral`].
    pub async fn create_ephemeral(
        &self,
        session: &Session,
        key: impl IntoKey<K>,
        value: V,
    ) -> Result<Written> {
        self.write_ephemeral(session, key, value, Basis::Exactly)
            .await
    }

    async fn write_ephemeral(
        &self,
        session: &Session,
        key: impl IntoKey<K>,
        value: V,
        basis: Basis,
    ) -> Result<Written> {
        let (bound, key) = (self.deadline()?, key.into_key());
        let leasing = session.attend(self)?;
        self.writer()
            .put_leased(bound, &leasing, &key, &value, basis, false)
            .await
    }
}

/// Ephemeral entries.
impl Txn<'_> {
    /// As [`Globe::put_ephemeral`], if the transaction is committed. While the session is not live it is an error, with which
    /// the closure should return: it is then called again when the session is live, until the deadline.
    ///
    /// # Errors
    /// `Invalid` for a map or a session of another log; `Closed`, `Unavailable` of the session; `Codec` for a key or value that
    /// cannot be encoded, or could not be read again.
    pub fn put_ephemeral<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        session: &Session,
        key: impl IntoKey<K>,
        value: V,
    ) -> Result<()> {
        let leasing = session.attend(map)?;
        self.write_leased(map, &leasing, &key.into_key(), value)
    }
}
