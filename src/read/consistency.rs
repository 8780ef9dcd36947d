//! How much a read must have seen.
//!
//! It only says so: who waits for it is a [barrier](crate::read::barrier).

use std::time::Duration;

use globe_log_client::Position;

/// How much a view must have seen: the argument of [`Reader::view_at`](crate::Reader::view_at).
///
/// It says how long to wait, at most for the deadline of the handle; looking is always the same local read.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use std::time::Duration;
/// use globe::{Consistency, Globe, MemoryLog};
///
/// # let log = MemoryLog::new();
/// let here: Globe<String, u64> = Globe::open(log.clone(), "stock").await?;
/// let there: Globe<String, u64> = Globe::open(log, "stock").await?;
///
/// // Read what I have just written, on another node: the position travels as text.
/// let token = here.put("apples", 7).await?.position().to_string();
/// let position = token.parse().map_err(|_| globe::key_error("no position"))?;
/// let view = there.view_at(Consistency::AtLeast(position)).await?;
/// assert_eq!(view.get("apples").as_deref(), Some(&7));
///
/// // Everything that anybody was told is committed.
/// let view = there.view_at(Consistency::Linearizable).await?;
/// assert!(view.contains_key("apples"));
///
/// // No older than a second; mostly the last probe has proved that already.
/// there.view_at(Consistency::Within(Duration::from_secs(1))).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consistency {
    /// What stands here now. Waits for nothing but the first snapshot.
    Local,
    /// Everything up to a position, such as one that another service passed along (causal). Costs nothing where it is
    /// reached already, otherwise the wait until it is; of another life of the log it is `EpochChanged`.
    AtLeast(Position),
    /// Everything committed anywhere before the call: one round trip to the log, and the wait until its answer is applied.
    Linearizable,
    /// Nothing older than this, which must be more than zero: proved by the last probe, which costs nothing, or by a new
    /// one, which costs a round trip.
    Within(Duration),
}
