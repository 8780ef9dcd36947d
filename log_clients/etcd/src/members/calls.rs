//! What can be asked of a member over one connection: what the etcd library asks, and renewals of leases.
//!
//! Never knows whether a connection is there: its first request dials.

use std::convert::Infallible;
use std::future::ready;
use std::ops::Deref;

use etcd_client::proto::PbLeaseKeepAliveResponse;
use etcd_client::{Channel, Client};
use futures::stream::{StreamExt, once};
use http::uri::PathAndQuery;
use tokio::sync::oneshot;
use tonic::client::Grpc;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};

use crate::fault::Fault;
use crate::members::dial::client;
use crate::members::signed::Signed;

const KEEP_ALIVE: PathAndQuery = PathAndQuery::from_static("/etcdserverpb.Lease/LeaseKeepAlive");

/// What etcd calls a `LeaseKeepAliveRequest`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct KeepAlive {
    #[prost(int64, tag = "1")]
    id: i64,
}

/// A client of the etcd library, and the channel it is on.
pub(crate) struct Calls {
    client: Client,
    channel: Signed,
}

impl Calls {
    pub(crate) fn new(channel: Signed) -> Result<Calls, Fault> {
        let boxed = BoxCloneSyncService::new(channel.clone().map_err(BoxError::from));
        let client = client(Channel::Custom(boxed))?;
        Ok(Calls { client, channel })
    }

    /// Renews a lease, on a stream of its own with one question and one answer. The library asks twice, and keeps the first
    /// answer to itself; etcd's own proxy, which renews by a timer, then answers half a ttl later. Nothing, if the stream ended.
    pub(crate) async fn renew(
        &self,
        lease: i64,
    ) -> Result<Option<PbLeaseKeepAliveResponse>, Status> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready()
            .await
            .map_err(|why| Status::from_error(why.into()))?;
        // The questions end when nobody waits for the answer any more, and no sooner: to the proxy that is a farewell.
        let (_waits, end) = oneshot::channel::<Infallible>();
        let end = once(end).filter_map(|_| ready(None));
        let question = once(ready(KeepAlive { id: lease })).chain(end);
        let mut request = Request::new(question);
        let leader = AsciiMetadataValue::from_static("true");
        request.metadata_mut().insert("hasleader", leader);
        let answers = grpc.streaming(request, KEEP_ALIVE, ProstCodec::default());
        answers.await?.into_inner().message().await
    }
}

impl Deref for Calls {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
