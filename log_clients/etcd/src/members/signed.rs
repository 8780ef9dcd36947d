//! A channel whose requests show who this client is.
//!
//! Never keeps a token of its own: each request bears that of the moment.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

use crate::members::token::Token;

/// A channel, and the token that its requests bear.
#[derive(Clone)]
pub(crate) struct Signed {
    channel: Channel,
    token: Arc<Token>,
}

impl Signed {
    pub(crate) fn new(channel: Channel, token: &Arc<Token>) -> Signed {
        let token = Arc::clone(token);
        Signed { channel, token }
    }
}

impl Service<Request<Body>> for Signed {
    type Response = Response<Body>;
    type Error = <Channel as Service<Request<Body>>>::Error;
    type Future = <Channel as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.channel.call(self.token.sign(request))
    }
}
