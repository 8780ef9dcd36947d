//! Waiting for a condition, with a bound.
//!
//! Never decides how fast something has to be: the bound is only there so that a test ends.

use std::time::Duration;

use tokio::time::Instant;

/// Waits until `condition` is true, and panics with `what` when it is not within `bound`.
pub async fn wait_until<F>(what: &str, bound: Duration, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let deadline = Instant::now() + bound;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {bound:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
