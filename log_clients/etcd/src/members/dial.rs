//! How one connection to one member is made.
//!
//! Never makes it twice: a channel whose connection has ended stays so, and what was learned over it is true of nothing
//! else.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use etcd_client::{Client, ConnectOptions};
use futures::FutureExt;
use globe_log_client::Result;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::{BoxError, Service};

use crate::fault::transport::{Ended, NotConnected};
use crate::fault::{Class, Fault};
use crate::members::signed::Signed;
use crate::members::socket::{Socket, TlsFailure};
use crate::members::token::Token;
use crate::settings::{Settings, TCP_KEEP_ALIVE, invalid};

/// What a connection is for. Each has its own, so that none waits behind another: a catch-up of megabytes must not hold
/// up a lease, and all streams of one HTTP/2 connection share its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Unary,
    Watch,
    Lease,
}

/// How much of an answer a server may send ahead of who reads it: of one stream, and of all of a connection. With HTTP/2's
/// own 64 KiB large answers come in small steps.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// Two channels of one connection to one member. The first request dials. Every request of the first bears the
/// authenticator's token of that time, and none of the second.
pub(crate) fn channels(
    address: &str,
    token: &Arc<Token>,
    settings: &Settings,
    tls_failure: TlsFailure,
) -> std::result::Result<(Signed, Channel), Fault> {
    let connector = Connector::new(address, settings, tls_failure)?;
    let channel = endpoint(address, settings)?.connect_with_connector_lazy(connector);
    let signed = Signed::new(channel.clone(), token);
    Ok((signed, channel))
}

/// An etcd client on a channel. With "require leader", a watch on a member that has lost its quorum ends with `no
/// leader` after some seconds; without, it would stay open and silent.
pub(crate) fn client(channel: etcd_client::Channel) -> std::result::Result<Client, Fault> {
    let options = ConnectOptions::new().with_require_leader(true);
    // Without a user of its own it has nothing to wait for.
    let client = Client::from_channel(channel, Some(options)).now_or_never();
    client
        .unwrap_or_else(|| Err(etcd_client::Error::EndpointsNotManaged))
        .map_err(Fault::from)
}

/// Builds what a connection needs, without one, so that a bad certificate is found at once.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    for address in &settings.endpoints {
        let connector = Connector::new(address, settings, TlsFailure::default());
        connector
            .and_then(|_| endpoint(address, settings))
            .map_err(|why| invalid(format!("endpoint {address}: {why}")))?;
    }
    Ok(())
}

/// How a connection is made and kept: everything but the address and TLS.
fn endpoint(address: &str, settings: &Settings) -> std::result::Result<Endpoint, Fault> {
    let origin: Uri = address.parse().map_err(refused)?;
    // TLS is the connector's, so that what it says is heard; to the library above it the connection is a plain one.
    let plain = address.replacen("https://", "http://", 1);
    let endpoint = Endpoint::from_shared(plain).map_err(refused)?;
    Ok(endpoint
        .origin(origin)
        .connect_timeout(settings.connect_timeout)
        .http2_keep_alive_interval(settings.keep_alive_interval)
        .keep_alive_timeout(settings.keep_alive_timeout)
        // Servers cut whoever pings a connection on which nothing is asked. A watch that is quiet is asked for all the
        // time.
        .keep_alive_while_idle(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW))
}

/// Dials the first time it is asked to, and refuses from then on.
///
/// A channel would dial again by itself, and reach another server behind the same address without a word: what was
/// learned over the connection (version, cluster, life of the log) would be believed of a stranger. So a connection
/// that has ended is an error here, and the next is a new one.
#[derive(Clone)]
struct Connector {
    tcp: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    dial: Arc<Dial>,
    tls_failure: TlsFailure,
}

/// The one dial, as far as it has come.
#[derive(Default)]
struct Dial {
    has_begun: AtomicBool,
    was_made: AtomicBool,
    /// Why it was not.
    failure: OnceLock<Arc<BoxError>>,
}

impl Connector {
    fn new(
        address: &str,
        settings: &Settings,
        tls_failure: TlsFailure,
    ) -> std::result::Result<Connector, Fault> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
        let tls = match &settings.tls {
            Some(tls) => {
                let uri: Uri = address.parse().map_err(refused)?;
                let name = tls.server_name(uri.host().unwrap_or_default())?;
                Some((TlsConnector::from(Arc::new(tls.config()?)), name))
            }
            None => None,
        };
        Ok(Connector {
            tcp,
            tls,
            dial: Arc::default(),
            tls_failure,
        })
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = BoxError;
    type Future =
        Pin<Box<dyn Future<Output = std::result::Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if self.dial.has_begun.swap(true, Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(self.dial.over())));
        }
        let (dialled, tls) = (self.tcp.call(uri), self.tls.clone());
        let (dial, tls_failure) = (Arc::clone(&self.dial), self.tls_failure.clone());
        Box::pin(async move {
            let made = async {
                let tcp = dialled.await?.into_inner();
                Ok(match tls {
                    None => Socket::plain(tcp),
                    Some((tls, name)) => {
                        Socket::secured(tls.connect(name, tcp).await?, tls_failure)
                    }
                })
            };
            match made.await {
                Ok(stream) => {
                    dial.was_made.store(true, Ordering::Relaxed);
                    Ok(TokioIo::new(stream))
                }
                Err(error) => Err(dial.failed(error)),
            }
        })
    }
}

impl Dial {
    fn failed(&self, error: BoxError) -> BoxError {
        let error = self.failure.get_or_init(|| Arc::new(error));
        NotConnected(Some(Arc::clone(error))).into()
    }

    /// Why there is no second one.
    fn over(&self) -> BoxError {
        if self.was_made.load(Ordering::Relaxed) {
            return Ended.into();
        }
        NotConnected(self.failure.get().cloned()).into()
    }
}

fn refused(error: impl fmt::Display) -> Fault {
    Fault::new(Class::Refused, error.to_string())
}
