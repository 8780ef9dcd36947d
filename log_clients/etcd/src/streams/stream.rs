//! One watch stream, shared by tails: always read, and handed on by watch.
//!
//! Never waits for a tail that does not read: its watch is given up, and its tail opens another when it reads on.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use etcd_client::proto::PbWatchResponse;
use etcd_client::{WatchOptions, WatchRequestSender, WatchResponseStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::fault::{Class, Fault};
use crate::streams::mailbox::{Delivery, Post};
use crate::streams::progress_requests::ProgressRequests;
use crate::streams::route::{Route, revision_of};

/// How long events may take on their own before progress is asked for.
const FIRST_ASK: Duration = Duration::from_millis(10);
/// Servers drop the request while a watch of the stream catches up, so it is repeated: with pauses that double, since
/// some never answer.
const ASK_AGAIN: Duration = Duration::from_millis(50);
const ASK_AT_LAST: Duration = Duration::from_millis(800);
/// Proxies end streams on which nothing is sent for some minutes.
const IDLE: Duration = Duration::from_secs(60);
/// How long a tail that has a stream for itself may hold it up without reading.
const PATIENCE: Duration = Duration::from_millis(50);
/// The watch id of what concerns the whole stream.
const WHOLE_STREAM: i64 = -1;

/// What tails tell their stream. Each tail has a number of its own.
pub(crate) enum Command {
    Create(u64, Creation),
    /// It must reach this revision.
    Want(u64, u64),
    Leave(u64),
}

/// A watch to be created.
pub(crate) struct Creation {
    pub(crate) start: Vec<u8>,
    pub(crate) options: WatchOptions,
    pub(crate) first: u64,
    pub(crate) post: Post,
}

/// What is sent on the stream.
enum Request {
    Create(Vec<u8>, WatchOptions),
    Cancel(i64),
    Progress,
}

/// The state of a stream's task.
///
/// It always reads: the streams of one connection share its window, and tails that nobody reads would hold up the
/// others. What a tail does not take is bounded by its mailbox, and then its watch is given up.
pub(crate) struct StreamTask {
    requests: WatchRequestSender,
    responses: WatchResponseStream,
    commands: UnboundedReceiver<Command>,
    routes: HashMap<u64, Route>,
    ids: HashMap<i64, u64>,
    /// The creation that was sent and not answered. Only one at a time: a refusal does not say what it refuses.
    creating: Option<u64>,
    creations: VecDeque<(u64, Creation)>,
    /// How many creations were answered.
    answered: Arc<AtomicU64>,
    outbox: VecDeque<Request>,
    progress_requests: ProgressRequests,
    next_ask: Option<Instant>,
    pause: Duration,
    /// A request for progress was sent since the last reply.
    is_asked: bool,
    last_sent: Instant,
    /// The highest revision the server has shown.
    highest: u64,
    /// The only tail, which does not read, and until when it is waited for.
    held: Option<(u64, Instant)>,
}

impl StreamTask {
    /// A stream on which the watch of tail 0 was just created.
    pub(crate) fn new(
        (requests, responses): (WatchRequestSender, WatchResponseStream),
        commands: UnboundedReceiver<Command>,
        answered: Arc<AtomicU64>,
        (created, first, post): (PbWatchResponse, u64, Post),
    ) -> StreamTask {
        let mut task = StreamTask {
            requests,
            responses,
            commands,
            routes: HashMap::from([(0, Route::new(first, post, 0))]),
            ids: HashMap::new(),
            creating: Some(0),
            creations: VecDeque::new(),
            answered,
            outbox: VecDeque::new(),
            progress_requests: ProgressRequests::default(),
            next_ask: None,
            pause: ASK_AGAIN,
            is_asked: false,
            last_sent: Instant::now(),
            highest: 0,
            held: None,
        };
        task.created(created);
        task
    }

    /// Runs until the stream breaks or nobody uses it any more.
    pub(crate) async fn run(mut self) {
        let fault = loop {
            let wake = self.next_wake();
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                sent = send(&mut self.requests, self.outbox.front()), if !self.outbox.is_empty() => {
                    if let Err(error) = sent {
                        break Fault::from(error);
                    }
                    self.outbox.pop_front();
                    self.last_sent = Instant::now();
                }
                message = self.responses.message(), if self.held.is_none() => match message {
                    Ok(Some(message)) => {
                        self.route(message.0);
                        // Whoever was woken may wait for this very thread.
                        yield_now().await;
                    }
                    Ok(None) => break Fault::new(Class::Unknown, "the server ended the watch"),
                    Err(error) => break Fault::from(error),
                },
                () = has_room(&self.routes, self.held), if self.held.is_some() => self.held = None,
                () = sleep_until(wake) => self.wake(),
            }
        };
        self.end(&fault);
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Create(key, creation) => {
                self.creations.push_back((key, creation));
                self.create_next();
            }
            Command::Want(key, revision) => {
                if let Some(route) = self.routes.get_mut(&key) {
                    route.wants(revision);
                    if route.want.is_some() {
                        self.next_ask.get_or_insert(Instant::now() + FIRST_ASK);
                    }
                }
            }
            Command::Leave(key) => {
                self.creations.retain(|(other, _)| *other != key);
                self.drop_watch(key);
            }
        }
    }

    /// Sends one creation, if none is under way: a refusal bears the id -1 and does not say what it refuses.
    fn create_next(&mut self) {
        if self.creating.is_some() {
            return;
        }
        let Some((key, creation)) = self.creations.pop_front() else {
            return;
        };
        let Creation {
            start,
            options,
            first,
            post,
        } = creation;
        self.creating = Some(key);
        self.outbox.push_back(Request::Create(start, options));
        let route = Route::new(first, post, self.progress_requests.asked());
        self.routes.insert(key, route);
    }

    /// The answer to the creation that was sent.
    fn created(&mut self, message: PbWatchResponse) {
        let Some(key) = self.creating.take() else {
            return;
        };
        self.answered.fetch_add(1, Ordering::Relaxed);
        let id = message.watch_id;
        let is_refused = message.canceled || message.compact_revision > 0;
        match self.routes.get_mut(&key) {
            Some(route) if is_refused => {
                route.post.put(Delivery::Message(message));
                self.routes.remove(&key);
            }
            Some(route) if !route.post.is_abandoned() => {
                route.id = Some(id);
                route.created_at = revision_of(&message);
                route.post.put(Delivery::Opened);
                self.ids.insert(id, key);
            }
            _ if is_refused => {}
            _ => {
                self.routes.remove(&key);
                self.outbox.push_back(Request::Cancel(id));
            }
        }
        self.create_next();
    }

    /// Hands a message to the tail it is for. What is for a watch that was left, as its last events are, is for nobody.
    fn route(&mut self, message: PbWatchResponse) {
        self.highest = self.highest.max(revision_of(&message));
        if message.created {
            return self.created(message);
        }
        let id = message.watch_id;
        if id == WHOLE_STREAM && !message.canceled {
            return self.progress(revision_of(&message));
        }
        let key = self.ids.get(&id).copied();
        let Some((key, route)) = key.and_then(|key| Some((key, self.routes.get_mut(&key)?))) else {
            return;
        };
        if message.canceled || message.compact_revision > 0 {
            route.post.put(Delivery::Message(message));
            self.ids.remove(&id);
            self.routes.remove(&key);
            return;
        }
        // It comes after the replies to all that was asked before the watch was created.
        self.progress_requests.settle(route.asked);
        let last = message.events.last().and_then(|event| event.kv.as_ref());
        let reached = last.map_or(0, |kv| u64::try_from(kv.mod_revision).unwrap_or(0));
        if !message.fragment {
            route.reaches(reached);
        }
        self.deliver(key, Delivery::Message(message));
    }

    /// All watches that stand have been delivered everything up to `revision`, if they stood when it was asked for.
    fn progress(&mut self, revision: u64) {
        self.is_asked = false;
        self.pause = ASK_AGAIN;
        self.progress_requests.reply();
        for route in self.routes.values() {
            // When the server created the watch it had a lower revision: it gave this answer later.
            let is_later = route.id.is_some() && (1..revision).contains(&route.created_at);
            if is_later {
                self.progress_requests.settle(route.asked + 1);
            }
        }
        let keys: Vec<u64> = self
            .routes
            .iter()
            .filter(|(_, r)| r.is_waiting())
            .map(|(key, _)| *key)
            .collect();
        let mut too_early = false;
        for key in keys {
            let Some(route) = self.routes.get_mut(&key) else {
                continue;
            };
            if !self.progress_requests.is_after(route.asked) {
                too_early = true;
                continue;
            }
            route.reaches(revision);
            self.deliver(key, Delivery::Progress(revision));
        }
        if too_early {
            self.ask();
        }
    }

    /// Delivers, and sees to it that a tail with too much unread holds up nobody: it waits a moment if it is alone, and
    /// is given up otherwise.
    fn deliver(&mut self, key: u64, delivery: Delivery) {
        let Some(route) = self.routes.get(&key) else {
            return;
        };
        if !route.post.put(delivery) {
            return;
        }
        if self.routes.len() == 1 {
            self.held = Some((key, Instant::now() + PATIENCE));
        } else {
            self.move_on(key);
        }
    }

    /// Gives up a watch. Its tail opens another when it reads on.
    fn move_on(&mut self, key: u64) {
        if let Some(route) = self.routes.get(&key) {
            route.post.put(Delivery::Moved);
        }
        self.drop_watch(key);
    }

    /// Forgets a watch, and ends it at the server.
    fn drop_watch(&mut self, key: u64) {
        self.held = self.held.filter(|(held, _)| *held != key);
        // One whose creation is not answered yet is cancelled by its answer.
        if let Some(id) = self.routes.remove(&key).and_then(|route| route.id) {
            self.ids.remove(&id);
            self.outbox.push_back(Request::Cancel(id));
        }
    }

    fn next_wake(&self) -> Instant {
        let idle = self.last_sent + IDLE;
        let wake = self.next_ask.map_or(idle, |ask| ask.min(idle));
        self.held.map_or(wake, |(_, until)| wake.min(until))
    }

    /// What is to be done at this time: give up a tail that does not read, ask for progress again, show proxies that it
    /// is in use.
    fn wake(&mut self) {
        let now = Instant::now();
        if let Some((key, until)) = self.held
            && now >= until
        {
            self.move_on(key);
        }
        if self.next_ask.is_some_and(|ask| now >= ask) {
            self.next_ask = None;
            if self.routes.values().any(|route| route.want.is_some()) {
                if self.is_asked {
                    self.part();
                }
                self.ask();
                self.next_ask = Some(now + self.pause);
                self.pause = ASK_AT_LAST.min(self.pause * 2);
            } else {
                self.pause = ASK_AGAIN;
            }
        }
        if now >= self.last_sent + IDLE {
            self.ask();
        }
    }

    /// Asks for progress; one request at most waits to be sent. Servers since 3.5.8 drop it while a watch of the stream
    /// catches up (etcd-io/etcd#15220), and `etcd grpc-proxy` drops all of them (etcd-io/etcd#19710): so it is asked
    /// again, and who needs an answer does without in the end.
    fn ask(&mut self) {
        if !self
            .outbox
            .iter()
            .any(|request| matches!(request, Request::Progress))
        {
            self.outbox.push_back(Request::Progress);
            self.progress_requests.ask();
            self.is_asked = true;
        }
    }

    /// Servers give no progress while a watch of the stream begins after their own revision, as one of a tail that knows
    /// everything does until the next write. If tails wait for less than that, the fewer of both go elsewhere.
    fn part(&mut self) {
        let Some(wanted) = self.routes.values().filter_map(|route| route.want).max() else {
            return;
        };
        let keys = |belongs: &dyn Fn(&Route) -> bool| -> Vec<u64> {
            let routes = self.routes.iter().filter(|(_, route)| belongs(route));
            routes.map(|(key, _)| *key).collect()
        };
        let shown = self.highest.max(wanted);
        let ahead = keys(&|route| route.id.is_some() && route.first > shown);
        let waiting = keys(&|route| route.is_waiting());
        if ahead.is_empty() {
            return;
        }
        let fewer = if ahead.len() <= waiting.len() {
            ahead
        } else {
            waiting
        };
        fewer.into_iter().for_each(|key| self.move_on(key));
    }

    /// Whose message was too large nobody can tell while there are several: each goes on alone.
    fn end(self, fault: &Fault) {
        let is_shared = self.routes.len() > 1 && fault.class == Class::TooLargeToDecode;
        let waiting = self
            .creations
            .into_iter()
            .map(|(_, creation)| creation.post);
        let posts = self.routes.into_values().map(|route| route.post);
        for post in posts.chain(waiting) {
            post.put(match is_shared {
                true => Delivery::Moved,
                false => Delivery::Ended(fault.clone()),
            });
        }
    }
}

async fn send(
    requests: &mut WatchRequestSender,
    request: Option<&Request>,
) -> Result<(), etcd_client::Error> {
    match request {
        Some(Request::Create(start, options)) => {
            requests.watch(start.clone(), Some(options.clone())).await
        }
        Some(Request::Cancel(id)) => requests.cancel(*id).await,
        Some(Request::Progress) => requests.request_progress().await,
        None => Ok(()),
    }
}

async fn has_room(routes: &HashMap<u64, Route>, held: Option<(u64, Instant)>) {
    if let Some(route) = held.and_then(|(key, _)| routes.get(&key)) {
        route.post.has_room().await;
    }
}
