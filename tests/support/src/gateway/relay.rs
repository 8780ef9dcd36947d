//! One request, from the client to the server and back.
//!
//! It decides nothing: what is done to the request is in the rules.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::pipe::{give, piece, unwanted, whole};
use super::progress::Sieve;
use super::rule::{Act, Said};
use super::{State, Upstream, lock};

/// The calls that send more than one message.
const STREAMS: [&str; 2] = [
    "/etcdserverpb.Watch/Watch",
    "/etcdserverpb.Lease/LeaseKeepAlive",
];

pub(crate) struct Relay {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) state: Arc<Mutex<State>>,
}

type Answer = Response<RecvStream>;

impl Relay {
    pub(crate) async fn run(self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, ());
        let done = match STREAMS.contains(&request.uri().path()) {
            true => self.stream(request, body, &mut respond).await,
            false => self.call(request, body, &mut respond).await,
        };
        if done.is_err() {
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }

    /// A request of one message.
    async fn call(
        &self,
        request: Request<()>,
        mut body: RecvStream,
        respond: &mut SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let body = whole(&mut body).await?;
        let act = lock(&self.state).act(request.uri().path(), Some(&body));
        if let Some(Act::Answer(said)) = &act {
            return say(said, respond);
        }
        if act == Some(Act::Repeat)
            && let Ok(mut first) = self.ask(&request, &body).await
        {
            whole(first.body_mut()).await?;
        }
        let asking = async {
            if let Some(Act::Delay(by)) = act {
                sleep(by).await;
            }
            self.ask(&request, &body).await
        };
        let asked = tokio::select! {
            asked = asking => asked,
            _ = poll_fn(|cx| respond.poll_reset(cx)) => return Ok(()),
        };
        match (asked, act) {
            (Err(said), _) => say(&said, respond),
            (Ok(mut answer), Some(Act::Lose(said))) => {
                let _ = whole(answer.body_mut()).await;
                say(&said, respond)
            }
            (Ok(answer), _) => self.pass_on(answer, respond, &Notify::new()).await,
        }
    }

    /// What the server answers; what is said when it does not.
    async fn ask(&self, request: &Request<()>, body: &Bytes) -> Result<Answer, Said> {
        let (answer, mut sending) = self.send(request).await?;
        // A server may answer before it was told everything, and then wants no more.
        let _ = give(&mut sending, body.clone(), true).await;
        answer.await.map_err(|_| Said::envoy_reset())
    }

    async fn send(
        &self,
        request: &Request<()>,
    ) -> Result<(h2::client::ResponseFuture, SendStream<Bytes>), Said> {
        let requests = self.upstream.requests().await;
        let mut requests = requests.ok_or_else(Said::envoy_refused)?;
        let sent = requests.send_request(request.clone(), false);
        let sent = sent.map_err(|_| Said::envoy_reset())?;
        let mut state = lock(&self.state);
        let path = request.uri().path().to_owned();
        *state.delivered.entry(path).or_default() += 1;
        Ok(sent)
    }

    /// A request of many messages.
    async fn stream(
        &self,
        request: Request<()>,
        body: RecvStream,
        respond: &mut SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let act = lock(&self.state).act(request.uri().path(), None);
        if let Some(Act::Answer(said)) = &act {
            return say(said, respond);
        }
        let (answer, sending) = match self.send(&request).await {
            Ok(sent) => sent,
            Err(said) => return say(&said, respond),
        };
        let moved = Notify::new();
        let answering = async {
            match (answer.await, act) {
                (Err(_), _) => say(&Said::envoy_reset(), respond),
                (Ok(_), Some(Act::Lose(said))) => say(&said, respond),
                (Ok(answer), _) => self.pass_on(answer, respond, &moved).await,
            }
        };
        let asking = async {
            let ended = self.pass_requests(body, sending, &moved).await;
            match ended {
                // The server may still have much to say.
                Ok(()) => std::future::pending().await,
                Err(error) => error,
            }
        };
        let outcome = tokio::select! {
            answered = answering => answered,
            error = asking => Err(error),
            () = self.is_idle(&moved) => Err(Reason::NO_ERROR.into()),
        };
        if let Err(error) = &outcome
            && error.reason() == Some(Reason::NO_ERROR)
        {
            respond.send_reset(Reason::NO_ERROR);
            return Ok(());
        }
        outcome
    }

    /// What the client sends, but what is swallowed.
    async fn pass_requests(
        &self,
        mut from: RecvStream,
        mut to: SendStream<Bytes>,
        moved: &Notify,
    ) -> Result<(), h2::Error> {
        let mut sieve = Sieve::default();
        while let Some(mut data) = piece(&mut from).await? {
            moved.notify_one();
            if lock(&self.state).drops_progress {
                data = sieve.pass(&data);
                lock(&self.state).dropped += std::mem::take(&mut sieve.dropped);
            }
            give(&mut to, data, false).await?;
        }
        to.send_data(Bytes::new(), true)
    }

    /// What the server says, from its first word to its last.
    async fn pass_on(
        &self,
        answer: Answer,
        respond: &mut SendResponse<Bytes>,
        moved: &Notify,
    ) -> Result<(), h2::Error> {
        let (head, mut from) = answer.into_parts();
        let head = Response::from_parts(head, ());
        if from.is_end_stream() {
            respond.send_response(head, true)?;
            return Ok(());
        }
        let mut to = respond.send_response(head, false)?;
        loop {
            let data = tokio::select! {
                data = piece(&mut from) => data?,
                () = unwanted(&mut to) => return Ok(()),
            };
            moved.notify_one();
            match data {
                Some(data) => give(&mut to, data, false).await?,
                None => break,
            }
        }
        match from.trailers().await? {
            Some(trailers) => to.send_trailers(trailers),
            None => to.send_data(Bytes::new(), true),
        }
    }

    /// Waits until a stream was quiet for as long as is allowed.
    async fn is_idle(&self, moved: &Notify) {
        /// How often it is looked whether there is a limit now.
        const LOOK: Duration = Duration::from_millis(100);
        loop {
            let limit = lock(&self.state).idle_limit;
            let quiet = timeout(limit.unwrap_or(LOOK), moved.notified()).await;
            if quiet.is_err() && limit.is_some() {
                lock(&self.state).cut += 1;
                return;
            }
        }
    }
}

fn say(said: &Said, respond: &mut SendResponse<Bytes>) -> Result<(), h2::Error> {
    match said.response() {
        Some(response) => respond.send_response(response, true).map(|_| ()),
        None => {
            respond.send_reset(Reason::INTERNAL_ERROR);
            Ok(())
        }
    }
}
