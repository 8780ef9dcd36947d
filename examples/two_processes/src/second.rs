//! The second process: it says that it is there for as long as it is, answers, and waits to be killed.
//!
//! It never cleans up: what it wrote for as long as it lives ends with its lease.

use std::time::Duration;

use globe::{Globe, Session};
use tokio::time::{sleep, timeout};

use crate::tell::{BOUND, Done, tell};

pub(crate) async fn run(url: &str) -> Done {
    let log = globe::connect(url).await?;
    let flags: Globe<String, String> = Globe::open(log.clone(), "flags").await?;
    tell(&format!(
        "finds dark-mode: {}",
        flags.get("dark-mode").ok_or("nothing")?
    ));
    let session = Session::builder(log)
        .ttl(Duration::from_secs(2))
        .open()
        .await?;
    let mut dark_mode = flags.watch_value("dark-mode");
    flags
        .put_ephemeral(&session, "second", "is there".to_owned())
        .await?;
    while let Some(value) = timeout(BOUND, dark_mode.next()).await? {
        if value.is_some_and(|value| *value == "on") {
            tell("sees dark-mode: on, and answers");
            flags.put("answer", "seen".to_owned()).await?;
            break;
        }
    }
    sleep(BOUND).await;
    Ok(())
}
