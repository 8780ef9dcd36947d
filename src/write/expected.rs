//! What a caller expects to stand at a key, for a write that is made only then.
//!
//! It never holds a bare revision: those are used again after a restore.

use globe_log_client::Version;

/// What must stand at a key for [`Globe::put_if`](crate::Globe::put_if) and
/// [`Globe::delete_if`](crate::Globe::delete_if) to write. A [`Version`] alone stands for [`Expected::At`]:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::{Expected, Globe, MemoryLog};
///
/// let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
/// map.put_if("a", 1, Expected::Absent).await?; // what `create` does
/// if let Some(seen) = map.get_entry("a") {
///     map.put_if("a", *seen + 1, seen.version()).await?;
/// }
/// map.put_if("a", 9, Expected::Present).await?;
/// # assert_eq!(map.get("a").as_deref(), Some(&9));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// There is no such key.
    Absent,
    /// There is such a key, whatever it holds.
    Present,
    /// The key was last written by exactly this commit: false after delete-then-recreate, and in another life of the log.
    At(Version),
}

impl From<Version> for Expected {
    fn from(version: Version) -> Expected {
        Expected::At(version)
    }
}
