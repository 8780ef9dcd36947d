//! Somebody else who uses the same server.
//!
//! It never touches a map, nor anything of Globe's.

use etcd_client::Client;
use tokio::task::JoinHandle;
use tokio::time::{Duration, interval};

use crate::Done;

/// How often the neighbour writes.
const PAUSE: Duration = Duration::from_millis(20);

/// Somebody who writes to the same server, outside of every map, until it is dropped.
pub(crate) struct Neighbour(JoinHandle<()>);

impl Neighbour {
    pub(crate) fn start(mut client: Client) -> Neighbour {
        let writing = async move {
            let mut tick = interval(PAUSE);
            while client.put("neighbour", "1", None).await.is_ok() {
                tick.tick().await;
            }
        };
        Neighbour(tokio::spawn(writing))
    }

    /// It ends only with an error.
    pub(crate) fn stop(self) -> Done {
        if self.0.is_finished() {
            return Err("the neighbour could not write".into());
        }
        self.0.abort();
        Ok(())
    }
}
