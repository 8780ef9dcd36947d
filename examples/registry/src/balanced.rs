//! Asks a service by a balancer of tower, which hears from the registry who is there.
//!
//! Never looks at the registry for a call: the balancer has its members.

use std::future::{Ready, ready};
use std::time::Duration;

use axum::body::Bytes;
use globe::Registry;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::load::{CompleteOnResponse, PendingRequestsDiscover};
use tower::retry::{Policy, Retry};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};

use crate::address::Address;
use crate::instance::{Answered, Asked, Instance};

/// How many calls may wait for the balancer.
const QUEUE: usize = 64;
/// For how long, with the call: a balancer without members waits for one.
const BOUND: Duration = Duration::from_secs(5);

/// Asks a service. Clones are one balancer.
#[derive(Clone, Debug)]
pub(crate) struct Balanced {
    service: BoxCloneSyncService<Asked, Answered, BoxError>,
}

impl Balanced {
    pub(crate) fn new(registry: &Registry<Address>, service: &str) -> Balanced {
        let client = Client::builder(TokioExecutor::new()).build_http();
        // Of tonic this would be a `Channel` that connects lazily.
        let members = registry.discover(service, move |member| {
            Instance::new(&member.data.url, client.clone())
        });
        let members = PendingRequestsDiscover::new(members, CompleteOnResponse::default());
        let balance = Buffer::new(Balance::new(members), QUEUE);
        Balanced {
            service: BoxCloneSyncService::new(Retry::new(Again(2), balance)),
        }
    }

    /// What a member answered, as JSON.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, BoxError> {
        let request = Request::get(path).body(Full::new(Bytes::new()))?;
        let answering = self.service.clone().oneshot(request);
        let answer = timeout(BOUND, answering).await??;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status()).into());
        }
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }
}

/// Calls again so many times, where the call can be repeated.
#[derive(Clone, Debug)]
struct Again(usize);

impl Policy<Asked, Answered, BoxError> for Again {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Asked,
        outcome: &mut Result<Answered, BoxError>,
    ) -> Option<Ready<()>> {
        let left = self.0.checked_sub(1).filter(|_| outcome.is_err())?;
        self.0 = left;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Asked) -> Option<Asked> {
        Some(request.clone())
    }
}
