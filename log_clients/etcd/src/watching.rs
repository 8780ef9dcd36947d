//! One etcd watch, opened on whichever member takes it.
//!
//! Never says that a watch is open before the server said so.

use std::sync::Arc;

use etcd_client::{Client, WatchOptions, WatchRequestSender, WatchResponseStream, WatchStream};
use globe_log_client::Keyspace;
use tokio::time::Instant;

use crate::call::{Answered, Repeat, Terms};
use crate::cluster::Cluster;
use crate::dial::Line;
use crate::endpoints::Chosen;
use crate::fault::{Class, Fault};
use crate::link::Link;
use crate::records::number;
use crate::version::Version;

/// An open watch. Dropping it ends it at the server.
pub(crate) struct Watching {
    pub(crate) chosen: Chosen,
    pub(crate) link: Arc<Link>,
    pub(crate) version: Version,
    pub(crate) requests: WatchRequestSender,
    pub(crate) responses: WatchResponseStream,
}

impl Cluster {
    /// Watches a keyspace from `revision` on, which is not zero: to etcd that would mean "from now".
    pub(crate) async fn watch(
        &self,
        keyspace: &Keyspace,
        revision: u64,
        deadline: Instant,
    ) -> Result<Watching, Fault> {
        let options = WatchOptions::new()
            .with_range(self.keys.end(keyspace))
            .with_start_revision(number(revision.max(1)))
            .with_fragment();
        let terms = Terms {
            line: Line::Watch,
            ..self.endpoints.terms(Repeat::Harmless, deadline)
        };
        let start = self.keys.start(keyspace);
        let largest = self.endpoints.settings.max_message_bytes;
        let opened = self.endpoints.call_member(terms, |client| {
            open(client, largest, start.clone(), options.clone())
        });
        let Answered {
            chosen,
            link,
            answer: stream,
        } = opened.await?;
        let version = link.known().map_or(Version::UNKNOWN, |known| known.version);
        let (requests, responses) = stream.split();
        Ok(Watching {
            chosen,
            link,
            version,
            requests,
            responses,
        })
    }
}

/// Opens a watch and waits until the server says that it stands: nothing but that message tells a watch from a refusal.
async fn open(
    client: Arc<Client>,
    largest: usize,
    start: Vec<u8>,
    options: WatchOptions,
) -> Result<WatchStream, Fault> {
    let mut watch = client.watch_client().max_decoding_message_size(largest);
    let mut stream = watch.watch(start, Some(options)).await?;
    while let Some(response) = stream.message().await? {
        let response = response.0;
        if response.compact_revision > 0 {
            let text = "the history after it is compacted";
            return Err(Fault::new(Class::Compacted, text));
        }
        if response.canceled {
            return Err(Fault::of_cancelled_watch(&response.cancel_reason));
        }
        if response.created {
            return Ok(stream);
        }
    }
    let text = "the server ended the watch before it began";
    Err(Fault::new(Class::NotExecuted, text))
}
