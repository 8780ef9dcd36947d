//! What etcd-client sees by itself: when a lease ends that nobody renews, and when a server that was away answers.
//!
//! Never by way of Globe.

use etcd_client::{Client, EventType, PutOptions};
use tokio::time::{Duration, Instant, sleep};

use crate::onlooker::Done;

/// How long it is from the grant of a lease that nobody renews until a watch shows that what hung on it is gone.
///
/// # Errors
/// As each of what it does.
pub async fn end_of_a_lease(client: &mut Client, ttl: Duration) -> Done<Duration> {
    let begun = Instant::now();
    let lease = client
        .lease_grant(ttl.as_secs().cast_signed(), None)
        .await?
        .id();
    let mut watch = client.watch("raw/dying", None).await?;
    let leased = PutOptions::new().with_lease(lease);
    client.put("raw/dying", "1", Some(leased)).await?;
    while let Some(seen) = watch.message().await? {
        let is_end = |event: &etcd_client::Event| event.event_type() == EventType::Delete;
        if seen.events().iter().any(is_end) {
            return Ok(begun.elapsed());
        }
    }
    Err("the watch ended".into())
}

/// How long after the return of a server somebody who asks all the while was answered.
pub async fn first_answer(endpoint: String, returned: Instant) -> Duration {
    loop {
        if let Ok(mut client) = Client::connect([&endpoint], None).await
            && client.get("raw", None).await.is_ok()
        {
            return returned.elapsed();
        }
        sleep(Duration::from_millis(5)).await;
    }
}
