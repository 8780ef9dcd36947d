//! One member as a service of tower: what a balancer calls.
//!
//! Never says that it is ready just after a call has failed: so a balancer takes another, as a picker does by itself.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tower::{BoxError, Service};

/// For how long a member is left alone that has failed.
const ASIDE: Duration = Duration::from_secs(1);
const BOUND: Duration = Duration::from_secs(5);

pub(crate) type Asked = Request<Full<Bytes>>;
pub(crate) type Answered = Response<hyper::body::Incoming>;
pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// One member.
#[derive(Debug)]
pub(crate) struct Instance {
    url: String,
    client: HttpClient,
    aside: Option<Pin<Box<Sleep>>>,
    /// Until when it is to be left alone: told by calls that end.
    failed: Arc<Mutex<Option<Instant>>>,
}

impl Instance {
    pub(crate) fn new(url: &str, client: HttpClient) -> Instance {
        Instance {
            url: url.to_owned(),
            client,
            aside: None,
            failed: Arc::default(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service<Asked> for Instance {
    type Response = Answered;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if let Some(until) = locked(&self.failed).take() {
            self.aside = Some(Box::pin(sleep_until(until)));
        }
        if let Some(aside) = &mut self.aside {
            ready!(aside.as_mut().poll(context));
            self.aside = None;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Asked) -> Self::Future {
        let (client, failed) = (self.client.clone(), Arc::clone(&self.failed));
        let url = format!("{}{}", self.url, request.uri());
        Box::pin(async move {
            *request.uri_mut() = url.parse()?;
            let answer = timeout(BOUND, client.request(request)).await;
            let answer = answer
                .map_err(BoxError::from)
                .and_then(|answer| Ok(answer?));
            if answer.is_err() {
                *locked(&failed) = Some(Instant::now() + ASIDE);
            }
            answer
        })
    }
}
