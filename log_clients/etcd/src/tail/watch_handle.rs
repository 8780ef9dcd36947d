//! The watch of one tail, on a stream it may share, on whichever member takes it.
//!
//! Never says that a watch is open before the server said so.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::proto::PbWatchResponse;
use etcd_client::{WatchOptions, WatchStream};
use globe_log_client::Keyspace;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, timeout, timeout_at};

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::members::call::{Answered, CallOptions, Repeat};
use crate::members::calls::Calls;
use crate::members::connection::Connection;
use crate::members::dial::Purpose;
use crate::members::endpoints::Chosen;
use crate::records::number;
use crate::settings::server_version::ServerVersion;
use crate::streams::Stream;
use crate::streams::mailbox::{Delivery, Mailbox, mailbox};
use crate::streams::stream::{Command, Creation, StreamTask};

/// Whoever is behind by more revisions than this catches up on a stream of its own.
const FAR_BEHIND: u64 = 1000;

/// What a watch is to show.
#[derive(Clone)]
pub(crate) struct WatchSpec {
    pub(crate) keyspace: Keyspace,
    /// The first revision, which is not zero: to etcd that would mean "from now".
    pub(crate) first: u64,
    /// It is known to have much to catch up with.
    pub(crate) is_behind: bool,
    /// How many bytes may lie unread.
    pub(crate) room: usize,
}

/// An open watch. Dropping it ends it at the server.
pub(crate) struct WatchHandle {
    stream: Arc<Stream>,
    number: u64,
    mailbox: Mailbox,
    catches_up: bool,
}

impl WatchHandle {
    fn new(stream: Arc<Stream>, number: u64, mailbox: Mailbox, catches_up: bool) -> WatchHandle {
        if catches_up {
            stream.begins_to_catch_up();
        }
        WatchHandle {
            stream,
            number,
            mailbox,
            catches_up,
        }
    }

    pub(crate) fn chosen(&self) -> &Chosen {
        &self.stream.chosen
    }

    /// The connection it comes through.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.stream.connection
    }

    pub(crate) fn version(&self) -> ServerVersion {
        self.stream.connection.version()
    }

    /// The next delivery. Cancel safe.
    pub(crate) async fn next(&mut self) -> Delivery {
        self.mailbox.next().await
    }

    /// What came of its creation, if the stream answers anybody within the limit.
    async fn created(&mut self, limit: Duration) -> Option<Delivery> {
        loop {
            // Watches are created one after the other.
            let before = self.stream.answered();
            match timeout(limit, self.next()).await {
                Ok(delivery) => return Some(delivery),
                Err(_) if self.stream.answered() > before => {}
                Err(_) => return None,
            }
        }
    }

    /// This revision must be reached: progress is asked for until it is.
    pub(crate) fn want(&self, revision: u64) {
        self.tell(Command::Want(self.number, revision));
    }

    /// It does not hold up others any more.
    pub(crate) fn has_caught_up(&mut self) {
        if std::mem::take(&mut self.catches_up) {
            self.stream.has_caught_up();
        }
    }

    fn tell(&self, command: Command) {
        // A stream that is gone has said so.
        let _ = self.stream.commands.send(command);
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        self.has_caught_up();
        self.tell(Command::Leave(self.number));
    }
}

impl Cluster {
    /// Opens a watch: on a stream that is there already, if its member is the one in use, or on a new one.
    pub(crate) async fn watch(
        &self,
        spec: &WatchSpec,
        deadline: Instant,
    ) -> Result<WatchHandle, Fault> {
        let late = || Fault::new(Class::NeverSent, "no watch stream was opened in time");
        let known = self.life.known().map_or(0, |known| known.revision);
        let catches_up = spec.is_behind || known.saturating_sub(spec.first) > FAR_BEHIND;
        if let Some(watch) = self.join(spec, catches_up, deadline).await? {
            return Ok(watch);
        }
        let turn = timeout_at(deadline, self.streams.opening.lock()).await;
        let _turn = turn.map_err(|_| late())?;
        if let Some(watch) = self.join(spec, catches_up, deadline).await? {
            return Ok(watch);
        }
        self.open_stream(spec, catches_up, deadline).await
    }

    /// A watch on a stream that is there already. Nothing if there is none to join, or if that takes it no more: also if
    /// it is refused, as for want of a login that is valid, since a stream keeps the one it was opened with.
    async fn join(
        &self,
        spec: &WatchSpec,
        catches_up: bool,
        deadline: Instant,
    ) -> Result<Option<WatchHandle>, Fault> {
        let chosen = self.endpoints.ready(deadline).await?;
        let Some(stream) = self.streams.to_join(&chosen, catches_up) else {
            return Ok(None);
        };
        let (post, mailbox) = mailbox(spec.room);
        let creation = Creation {
            start: self.keys.start(&spec.keyspace),
            options: self.options(spec),
            first: spec.first,
            post,
        };
        let number = stream.next();
        let mut watch = WatchHandle::new(stream, number, mailbox, catches_up);
        watch.tell(Command::Create(number, creation));
        let limit = self.endpoints.settings.request_timeout;
        let fault = match timeout_at(deadline, watch.created(limit)).await {
            Ok(Some(Delivery::Opened)) => return Ok(Some(watch)),
            Ok(Some(Delivery::Message(refusal))) => refused(&refusal),
            _ => Fault::new(Class::Unknown, "the stream took no more watches"),
        };
        if matches!(fault.class, Class::Compacted | Class::Denied) {
            return Err(fault.at(&watch.chosen().endpoint.address));
        }
        watch.stream.close();
        Ok(None)
    }

    /// A watch on a stream of its own, which others may join; its task runs until the last of them leaves.
    async fn open_stream(
        &self,
        spec: &WatchSpec,
        catches_up: bool,
        deadline: Instant,
    ) -> Result<WatchHandle, Fault> {
        let call_options = CallOptions {
            purpose: Purpose::Watch,
            ..self.endpoints.call_options(Repeat::Harmless, deadline)
        };
        let (start, options) = (self.keys.start(&spec.keyspace), self.options(spec));
        let largest = self.endpoints.settings.max_message_bytes;
        let opened = self.endpoints.call_member(call_options, |client| {
            open(client, largest, start.clone(), options.clone())
        });
        let Answered {
            chosen,
            connection,
            answer: (watch, created),
        } = opened.await?;
        self.look_at_order(&connection, spec).await;
        let (commands, obeyed) = unbounded_channel();
        let (post, mailbox) = mailbox(spec.room);
        let answered = Arc::default();
        let first = (created, spec.first, post);
        let task = StreamTask::new(watch.split(), obeyed, Arc::clone(&answered), first);
        tokio::spawn(task.run());
        let stream = Arc::new(Stream::new(chosen, connection, commands, answered));
        let mut watch = WatchHandle::new(Arc::clone(&stream), 0, mailbox, catches_up);
        self.streams.add(&stream);
        // That it stands is known already.
        watch.next().await;
        Ok(watch)
    }

    /// Where the version is not known: whether progress of this connection can be relied on.
    async fn look_at_order(&self, connection: &Connection, spec: &WatchSpec) {
        let (start, end) = (
            self.keys.start(&spec.keyspace),
            self.keys.end(&spec.keyspace),
        );
        let known = self.life.known().map_or(0, |known| known.revision);
        let looking = connection.watch_order((start, end), known.max(spec.first - 1));
        // What was not found out in time is not known.
        let _ = timeout(self.endpoints.settings.request_timeout, looking).await;
    }

    /// The whole keyspace from a revision on, with large answers in fragments.
    fn options(&self, spec: &WatchSpec) -> WatchOptions {
        WatchOptions::new()
            .with_range(self.keys.end(&spec.keyspace))
            .with_start_revision(number(spec.first.max(1)))
            .with_fragment()
    }
}

/// Opens a stream with one watch and waits until the server says that it stands: nothing but that message tells a watch
/// from a refusal. An open stream proves nothing: what is wrong with the watch, a compacted start or a token that is
/// too old, comes as a message on it.
async fn open(
    client: Arc<Calls>,
    largest: usize,
    start: Vec<u8>,
    options: WatchOptions,
) -> Result<(WatchStream, PbWatchResponse), Fault> {
    let mut watch = client.watch_client().max_decoding_message_size(largest);
    let mut stream = watch.watch(start, Some(options)).await?;
    while let Some(response) = stream.message().await? {
        let response = response.0;
        if response.compact_revision > 0 || response.canceled {
            return Err(refused(&response));
        }
        if response.created {
            return Ok((stream, response));
        }
    }
    let text = "the server ended the watch before it began";
    Err(Fault::new(Class::NotExecuted, text))
}

/// Why a watch was not created, or is over. Its revision is not looked at: on a message that cancels it may be 0.
pub(crate) fn refused(message: &PbWatchResponse) -> Fault {
    if message.compact_revision > 0 {
        let text = "the history after it is compacted";
        return Fault::new(Class::Compacted, text);
    }
    Fault::of_cancelled_watch(&message.cancel_reason)
}
