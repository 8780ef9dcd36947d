//! Calls a service over HTTP, as anybody would.
//!
//! Never waits longer than its bound, and never calls twice.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

use crate::story::Outcome;

/// Calls services over HTTP. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    bound: Duration,
}

/// What a service answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status: 200, say.
    pub status: u16,
    /// The body: what was said as JSON, or else the text.
    pub body: Value,
}

impl Caller {
    /// One that waits for each answer for so long at most.
    #[must_use]
    pub fn new(bound: Duration) -> Caller {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Caller { client, bound }
    }

    /// GET.
    ///
    /// # Errors
    /// If there was no answer. An answer of any status is one.
    pub async fn get(&self, url: &str) -> Outcome<Answer> {
        self.call(Method::GET, url, None).await
    }

    /// PUT of a JSON value.
    ///
    /// # Errors
    /// As [`Caller::get`].
    pub async fn put(&self, url: &str, body: Value) -> Outcome<Answer> {
        self.call(Method::PUT, url, Some(body)).await
    }

    /// POST of a JSON value.
    ///
    /// # Errors
    /// As [`Caller::get`].
    pub async fn post(&self, url: &str, body: Value) -> Outcome<Answer> {
        self.call(Method::POST, url, Some(body)).await
    }

    async fn call(&self, method: Method, url: &str, body: Option<Value>) -> Outcome<Answer> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = Request::builder().method(method).uri(url);
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::new(body))?;
        let answered = async {
            let answer = self.client.request(request).await?;
            let status = answer.status().as_u16();
            let bytes = answer.into_body().collect().await?.to_bytes();
            let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
            let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
            Ok(Answer { status, body })
        };
        timeout(self.bound, answered).await?
    }
}
